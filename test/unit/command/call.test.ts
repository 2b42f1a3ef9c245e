import assert from 'node:assert/strict'
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { after, describe, test } from 'node:test'
import { callProgram } from '../../../lib/command/call.ts'
import { whyUnsafe } from '../../../lib/command/program.ts'

const rootOnly = { skip: process.getuid?.() !== 0 && 'only root can make files of others' }
// Not in /tmp, where everybody may write.
const directory =
  process.getuid?.() === 0 ? mkdtempSync('/root/understudy-test-') : mkdtempSync('/tmp/understudy-test-')
after(() => rmSync(directory, { recursive: true }))
const PATH = '/usr/bin:/bin'
const program = (name: string, text: string, mode = 0o755): string => {
  const path = `${directory}/${name}`
  writeFileSync(path, `#!/bin/sh\n${text}\n`)
  chmodSync(path, mode)
  return path
}
const call = (path: string, timeoutMs = 10_000): Promise<void> =>
  callProgram(path, ['INSTANCE', 'understudy', 'MASTER', '100'], { env: { PATH }, timeoutMs })

describe('the virtual IP command', () => {
  test('gets its arguments, and nothing of our environment', () =>
    call(program('args', '[ "$*" = "INSTANCE understudy MASTER 100" ] && [ -z "$HOME" ]')))
  test('its exit code and last line are what a person reads', () =>
    assert.rejects(call(program('fails', 'echo one >&2; echo no route >&2; exit 3')), {
      message: `${directory}/fails ended with 3: no route`,
    }))
  test('that hangs is ended with all that it has started', async () => {
    const started = performance.now()
    await assert.rejects(
      call(program('hangs', 'trap "" TERM; sleep 60 & sleep 60'), 300),
      /did not end within 0\.3 s/,
    )
    assert.ok(performance.now() - started < 5000)
  })
  test('that leaves a process behind has ended', async () => {
    const started = performance.now()
    await call(program('leaves', 'sleep 5 &'))
    assert.ok(performance.now() - started < 4000)
  })
  test('that cannot be started says so', () =>
    assert.rejects(call(`${directory}/nowhere`), /could not be started: .*ENOENT/))
})

describe('who may change the virtual IP command', rootOnly, () => {
  test('nobody but root', () => assert.equal(whyUnsafe(program('good', '')), null))
  test('it is not there', () => assert.equal(whyUnsafe(`${directory}/absent`), 'is not there'))
  test('it is a directory', () => assert.equal(whyUnsafe(directory), 'is not a file'))
  test('only root may run it', () =>
    assert.match(whyUnsafe(program('closed', '', 0o700)) ?? '', /not executable by everybody \(chmod 755\)/))
  for (const mode of [0o775, 0o757])
    test(`others may write it: ${mode.toString(8)}`, () =>
      assert.match(whyUnsafe(program('open', '', mode)) ?? '', /other users can write to .*\/open$/))
  test('it belongs to somebody else', () => {
    const path = program('foreign', '')
    chownSync(path, 65534, 65534)
    assert.match(whyUnsafe(path) ?? '', /foreign does not belong to root$/)
  })
  test('others may write the directory above it', () => {
    mkdirSync(`${directory}/open-directory`)
    chmodSync(`${directory}/open-directory`, 0o777)
    assert.match(
      whyUnsafe(program('open-directory/x', '')) ?? '',
      /other users can write to .*\/open-directory$/,
    )
  })
  test('a link does not hide that', () => {
    symlinkSync(program('open-directory/y', ''), `${directory}/link`)
    assert.match(whyUnsafe(`${directory}/link`) ?? '', /open-directory$/)
  })
})
