import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { settings } from '../unit/support/settings.ts'
import { rendered } from './rendered.ts'

type Environment = Readonly<Record<string, string | undefined>>

/**
 * Compares a text with its golden file, to the byte. With UPDATE_GOLDEN=1 it writes the file instead.
 *
 * @throws AssertionError where they differ, and where a file is to be renewed in CI.
 */
export function compareWithGolden(file: URL, text: string, environment: Environment = process.env): void {
  if (environment['UPDATE_GOLDEN'] === '1') {
    assert.ok(!environment['CI'], 'UPDATE_GOLDEN is set in CI: golden files are renewed by a person only')
    mkdirSync(new URL('.', file), { recursive: true })
    writeFileSync(file, text)
  }
  assert.equal(text, readFileSync(file, 'utf8'))
}

/** One test for each golden file of a component. */
export function golden(component: keyof ReturnType<typeof rendered>): void {
  const directory = new URL(`./${component}/`, import.meta.url)
  const texts: Readonly<Record<string, string>> = rendered(settings)[component]
  describe(`${component}: golden files (UPDATE_GOLDEN=1 renews them)`, () => {
    for (const [name, text] of Object.entries(texts))
      test(name, () => compareWithGolden(new URL(name, directory), text))
    test('every golden file has its renderer', () =>
      assert.deepEqual(readdirSync(directory).sort(), Object.keys(texts).sort()))
  })
}
