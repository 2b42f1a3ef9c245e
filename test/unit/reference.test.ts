/** docs/reference against the manifests and the source: what is generated is as `npm run reference` makes it. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { components } from '../../lib/components.ts'
import { renderReference, renewPage } from '../../lib/operations/render-reference.ts'
import { waitingTimes } from '../../scripts/waiting-times.mjs'

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')

describe('the reference', () => {
  test('its tables are those of the manifests; npm run reference renews them', () => {
    const page = read('docs/reference/README.md')
    assert.equal(page, renewPage(page, renderReference(components)))
  })

  test('its waiting times are those of the code, and each has its reason', () => {
    const page = read('docs/reference/waiting-times.md')
    for (const { name, value, reason, file } of waitingTimes()) {
      assert.notEqual(reason, '', `${name} in ${file} has no comment that says why`)
      assert.ok(page.includes(`- **${name}** ${value} (\`${file}\`): ${reason}\n`), `${name} in ${file}`)
    }
  })

  test('its waiting times are also those of the commands and of the Perl scripts', () => {
    const values = new Map(waitingTimes().map(({ name, value, file }) => [`${file} ${name}`, value]))
    assert.equal(values.get('scripts/logs.mjs ASK_MS'), '30 s')
    assert.equal(values.get('scripts/folders.mjs LOOK_AGAIN_MS'), '300 ms')
    assert.equal(values.get('packaging/database-check.pl LOOK_AGAIN_S'), '500 ms')
    assert.equal(values.get('packaging/quick-check.pl TRUST_S'), '10 min')
    assert.ok(![...values.keys()].some((name) => name.includes('demo')), 'the demo waits for nobody')
  })

  test('its handlers are a list, as their cells are too long for a table', () => {
    const handler = {
      name: 'lamp',
      user: 'consul',
      calledBy: 'the watch on `lamp/`; join',
      does: 'changes the bulb',
    }
    const { handlers } = renderReference([{ handlers: [handler], keysAbout: [], ports: [], filesAbout: [] }])
    assert.equal(handlers, '- **`lamp`** (consul; called by the watch on `lamp/`, join): changes the bulb.')
  })

  test('it has every handler, and no other', () => {
    const built = readdirSync(new URL('../../handlers', import.meta.url)).map((file) =>
      file.replace(/\.ts$/, ''),
    )
    const scripts = components.flatMap(({ package: { scripts = [] } }) =>
      scripts.map((file) => file.replace(/\.(sh|pl)$/, '')),
    )
    const named = components.flatMap(({ handlers }) => handlers.map(({ name }) => name))
    assert.deepEqual(named.sort(), [...built, ...scripts].sort())
  })

  test('it has every key of Consul, with the names that vary', () => {
    const documented = components.flatMap(({ keysAbout }) =>
      keysAbout.map(({ key }) => key.replace(/[A-Z]+/g, 'X')),
    )
    const keys = components.flatMap(({ keys }) =>
      Object.values(keys).map((key) => ('path' in key ? key : key('X', 'X', 'X')).path),
    )
    assert.deepEqual(documented.sort(), keys.filter((path) => !path.endsWith('/')).sort())
  })

  test('what the manifests package is there', () => {
    for (const { package: packaged } of components) {
      for (const unit of packaged.units ?? [])
        assert.ok(existsSync(new URL(`../../packaging/systemd/${unit}`, import.meta.url)), unit)
      for (const name of packaged.scripts ?? [])
        assert.ok(existsSync(new URL(`../../packaging/${name}`, import.meta.url)), name)
    }
  })
})
