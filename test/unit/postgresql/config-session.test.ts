import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { SESSION_OPTIONS } from '../../../lib/postgresql/config-session.ts'

test('repmgrd gets the same options from its unit, in the quotes of systemd', () => {
  const unit = new URL('../../../packaging/systemd/understudy-repmgrd.service', import.meta.url)
  const [, value = ''] = /^Environment="PGOPTIONS=(.*)"$/m.exec(readFileSync(unit, 'utf8')) ?? []
  assert.equal(value.replaceAll('\\\\', '\\'), SESSION_OPTIONS)
})
