/** The handler that calls the operator's command, on a fenced member: there it needs nothing from Consul. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { settings } from '../unit/support/settings.ts'
import { cannotRun, Member } from './support/member.ts'

describe('the virtual IP command of a fenced member', { skip: cannotRun }, () => {
  const members: Member[] = []
  after(() => {
    for (const member of members) member.remove()
  })
  const memberWith = (virtualIpCommand: string): Member => {
    const member = new Member({ node: JSON.stringify({ ...settings, virtualIpCommand }) })
    members.push(member)
    member.write('database/fenced', '')
    return member
  }

  test('it is told once that it is not the primary', async () => {
    const member = memberWith('/usr/bin/true')
    const { exitCode, stderr } = await member.handler('virtual-ip-command')
    assert.equal(exitCode, 0, stderr)
    assert.deepEqual(JSON.parse(member.read('command/done.json')), { state: 'BACKUP', epoch: 0 })
    const before = member.state()
    assert.equal((await member.handler('virtual-ip-command')).exitCode, 0)
    assert.deepEqual(member.state(), before)
  })

  for (const [program, reason] of [
    ['/usr/bin/false', '/usr/bin/false ended with 1'],
    ['/usr/bin/absent', '/usr/bin/absent is not there'],
  ] as const)
    test(`a failure is kept for the check: ${reason}`, async () => {
      const member = memberWith(program)
      for (const count of [1, 2]) {
        assert.equal((await member.handler('virtual-ip-command')).exitCode, 1)
        const failure = JSON.parse(member.read('command/failed.json'))
        assert.deepEqual([failure.count, failure.reason], [count, reason])
      }
      assert.throws(() => member.read('command/done.json'))
    })
})
