/** The search servers of the operator, on each machine alone: OpenSearch. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { waitFor } from '../../lib/core/wait.ts'
import { mustJoin, statusFrom, untilHealthy } from './lib/cluster.ts'
import { Lab } from './lib/lab.ts'
import { ask, SETTINGS_FILE as FILE, installOpenSearch, upWithSearch } from './lib/opensearch.ts'

const all = ['n1', 'n2', 'n3']
/** A server in Java starts on a busy host. */
const BACK_MS = 240_000
const ENABLE_MS = 400_000

describe('search local', () => {
  const name = 'search-local'
  let lab: Lab
  const sh = async (machine: string, script: string): Promise<string> =>
    (await lab.exec(machine, ['sh', '-euc', script], { timeoutMs: 120_000 })).stdout.trim()

  before(async () => {
    lab = await upWithSearch(name)
    await mustJoin(lab, 'n1')
    await mustJoin(lab, 'n2', 'n1')
  })
  after(() => Lab.remove(name))

  const enable = (machine: string, ...more: string[]) =>
    lab.exec(machine, ['understudy', 'search', 'enable', ...more], { reject: false, timeoutMs: ENABLE_MS })

  test('a machine without a search server is refused, and nothing is enabled', async () => {
    const refused = await enable('n1', 'local')
    assert.equal(refused.exitCode, 78, refused.stderr)
    assert.match(
      refused.stderr,
      /^understudy search: there is no search server here: neither \/etc\/opensearch/,
    )
    assert.equal((await statusFrom(lab, 'n1')).search, undefined)
  })

  test('so are settings that are not understood, an unknown unit, and a password that everybody may read', async () => {
    for (const machine of all) await installOpenSearch(lab, machine)
    const unit = await enable('n1', 'local', '--search-unit', 'nothing')
    assert.equal(unit.exitCode, 78)
    assert.match(unit.stderr, /systemd has no unit nothing\.service/)
    await sh('n1', `cp -p ${FILE} ${FILE}.kept; echo 'node.attr: {a: b}' >>${FILE}`)
    const unclear = await enable('n1', 'local')
    assert.equal(unclear.exitCode, 78)
    assert.match(unclear.stderr, /opensearch\.yml is not understood in line 6;/)
    await sh('n1', `mv ${FILE}.kept ${FILE}`)
    await sh('n1', 'echo admin:secret >/etc/understudy/search.login; chmod 644 /etc/understudy/search.login')
    const open = await enable('n1', 'local')
    assert.equal(open.exitCode, 78)
    assert.match(open.stderr, /search\.login has to be root's, readable by the group consul and nobody else/)
    await sh('n1', 'rm /etc/understudy/search.login')
    assert.equal((await statusFrom(lab, 'n1')).search, undefined)
  })

  test('one command on any member sets it up on every member, and a machine that joins gets it', async () => {
    const before = await sh('n2', `cat ${FILE}`)
    const enabled = await enable('n2', 'local')
    assert.equal(enabled.exitCode, 0, enabled.stdout + enabled.stderr)
    assert.match(enabled.stdout, /^search runs on n2$/m)
    assert.equal(await sh('n2', `cat ${FILE}`), before, 'the settings stay as they are')
    await mustJoin(lab, 'n3', 'n1')
    const { search, notes, machines } = await untilHealthy(lab, 'n3', BACK_MS)
    assert.equal(search, 'local')
    assert.deepEqual(
      machines.map((machine) => machine.search),
      [true, true, true],
    )
    assert.match(notes.join('\n'), /search is local: each machine's indices are on that machine alone/)
  })

  test('an index of a machine is on that machine, and there again after a power cut', async () => {
    await ask(lab, 'n3', 'PUT', '/things/_doc/1?refresh=true', { name: 'a thing' })
    await lab.poweroff('n3')
    await lab.poweron('n3')
    await untilHealthy(lab, 'n3', BACK_MS)
    // Yellow: its replica has no other machine. The check does not demand green.
    const { _source: found } = await ask<{ _source: object }>(lab, 'n3', 'GET', '/things/_doc/1')
    assert.deepEqual(found, { name: 'a thing' })
    await assert.rejects(ask(lab, 'n2', 'GET', '/things/_doc/1'), /index_not_found/)
  })

  test('a server that does not run is named, and Consul leads to those that do', async () => {
    await sh('n2', 'systemctl stop opensearch')
    await waitFor('the status names it', 60_000, async () => {
      const { problems, machines } = await statusFrom(lab, 'n1')
      const named = problems.some((text) => /^the check search of n2 is critical/.test(text))
      return (named && machines.find(({ name: one }) => one === 'n2')?.search === false) || null
    })
    await sh('n2', 'systemctl start opensearch')
    await untilHealthy(lab, 'n2', BACK_MS)
  })
})
