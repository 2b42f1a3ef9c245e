import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { readSettings, requireSettings } from '../../../lib/core/settings.ts'
import { settings } from '../support/settings.ts'

let directory = ''
let path = ''

const refused = (exitCode: number, message: RegExp) => ({ name: 'UnderstudyError', exitCode, message })

describe('settings of a member', () => {
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'settings-'))
    path = join(directory, 'node.json')
  })
  after(() => rmSync(directory, { recursive: true }))

  test('are read back', () => {
    writeFileSync(path, JSON.stringify(settings))
    assert.deepEqual(readSettings(path), settings)
  })
  test('a machine that has not joined has none', () =>
    assert.equal(readSettings(join(directory, 'missing')), null))
  test('half a file is no settings', () => {
    writeFileSync(path, '{ "schema": 1,')
    assert.throws(() => readSettings(path), refused(65, /node\.json does not hold this machine's settings/))
  })
  test('a file of somebody else is no settings', () => {
    writeFileSync(path, JSON.stringify({ ...settings, address: 'n1' }))
    assert.throws(() => readSettings(path), refused(65, /does not hold this machine's settings/))
  })
  test('a file that cannot be read is another error', () =>
    assert.throws(() => readSettings(directory), refused(78, /could not read/)))
  test('who needs them says so', { skip: readSettings() !== null && 'this machine is a member' }, () =>
    assert.throws(() => requireSettings(), refused(78, /not a member of a cluster/)),
  )
})
