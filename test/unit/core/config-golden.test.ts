import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { after, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { compareWithGolden } from '../../golden/golden.ts'

describe('golden files', () => {
  const directory = mkdtempSync(`${tmpdir()}/golden-`)
  const file = pathToFileURL(`${directory}/file`)
  const missing = pathToFileURL(`${directory}/missing`)
  after(() => rmSync(directory, { recursive: true }))

  test('a text that differs fails, and leaves the file alone', () => {
    writeFileSync(file, 'state BACKUP\n')
    assert.throws(() => compareWithGolden(file, 'state MASTER\n', {}), /state MASTER/)
    assert.equal(readFileSync(file, 'utf8'), 'state BACKUP\n')
    compareWithGolden(file, 'state BACKUP\n', {})
  })

  test('a golden file that is missing is not written without being asked for', () =>
    assert.throws(() => compareWithGolden(missing, 'text\n', {}), /ENOENT/))

  test('UPDATE_GOLDEN=1 renews it', () => {
    compareWithGolden(file, 'renewed\n', { UPDATE_GOLDEN: '1' })
    assert.equal(readFileSync(file, 'utf8'), 'renewed\n')
  })

  test('CI refuses to renew it', () => {
    const environment = { UPDATE_GOLDEN: '1', CI: 'true' }
    assert.throws(() => compareWithGolden(file, 'by accident\n', environment), /by a person only/)
    assert.equal(readFileSync(file, 'utf8'), 'renewed\n')
  })
})
