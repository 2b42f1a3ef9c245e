/** One name a thing, and one thing a name. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'

const top = new URL('../../', import.meta.url)
const sources = ['lib', 'handlers'].flatMap((folder) =>
  (readdirSync(new URL(folder, top), { recursive: true }) as string[])
    .filter((file) => file.endsWith('.ts'))
    .map((file) => ({
      file: `${folder}/${file}`,
      text: readFileSync(new URL(`${folder}/${file}`, top), 'utf8'),
    })),
)

describe('names', () => {
  test('no two types have one name', () => {
    const byName = new Map<string, string[]>()
    for (const { file, text } of sources)
      for (const [, name = ''] of text.matchAll(/^(?:export )?(?:interface|type|class) (\w+)/gm))
        byName.set(name, [...(byName.get(name) ?? []), file])
    assert.deepEqual(
      [...byName].filter(([, files]) => files.length > 1),
      [],
    )
  })

  test("a handler's file, its name and the first word of its help are one", () => {
    const handlers = sources.filter(({ file }) => file.startsWith('handlers/'))
    for (const { file, text } of handlers) {
      const name = file.replace(/^handlers\/(.*)\.ts$/, '$1')
      assert.match(text, new RegExp(`help: \`${name} `), file)
      const spelled = /\n {2}name: '([^']+)'/.exec(text)?.[1]
      if (spelled !== undefined) assert.equal(spelled, name)
    }
  })
})
