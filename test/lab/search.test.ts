/** The search servers of the operator: OpenSearch, on each machine alone and as one cluster. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { waitFor } from '../../lib/core/wait.ts'
import { addressOf, join, mustJoin, packageFile, statusFrom, untilHealthy } from './lib/cluster.ts'
import { Lab } from './lib/lab.ts'
import { ask, installOpenSearch, SEARCH_PACKAGES } from './lib/opensearch.ts'

const all = ['n1', 'n2', 'n3']
/** A server in Java starts on a busy host, and shards are copied. */
const BACK_MS = 240_000
const ENABLE_MS = 400_000

const shell =
  (lab: () => Lab) =>
  async (machine: string, script: string): Promise<string> =>
    (await lab().exec(machine, ['sh', '-euc', script], { timeoutMs: 120_000 })).stdout.trim()

const upWith = async (name: string): Promise<Lab> => {
  await Lab.remove(name)
  const lab = await Lab.up({ name, packages: SEARCH_PACKAGES, log: console.log })
  await lab.installPackage(packageFile())
  return lab
}

const FILE = '/etc/opensearch/opensearch.yml'
const HOSTS = '/etc/opensearch/unicast_hosts.txt'

describe('search local', () => {
  const name = 'search-local'
  let lab: Lab
  const sh = shell(() => lab)

  before(async () => {
    lab = await upWith(name)
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

describe('search clustered', () => {
  const name = 'search-cluster'
  let lab: Lab
  const sh = shell(() => lab)

  before(async () => {
    lab = await upWith(name)
    for (const machine of all) await installOpenSearch(lab, machine)
  })
  after(() => Lab.remove(name))

  const nodesAt = async (machine: string): Promise<string[]> =>
    (await ask<{ name: string }[]>(lab, machine, 'GET', '/_cat/nodes?format=json&h=name'))
      .map((node) => node.name)
      .sort()
  /** Every server sees all others, each index has all its copies, and the cluster is in order. */
  const untilWhole = async (machines: readonly string[] = all): Promise<void> => {
    for (const machine of machines)
      await waitFor<true>(`the server of ${machine} sees all others`, BACK_MS, async () => {
        const nodes = await nodesAt(machine)
        const { status } = await ask(lab, machine, 'GET', '/_cluster/health')
        if (nodes.join() === machines.join() && status === 'green') return true
        throw new Error(JSON.stringify({ nodes, status }))
      })
    for (const machine of machines) await untilHealthy(lab, machine, BACK_MS)
  }
  const hostsOf = async (machine: string): Promise<string[]> =>
    (await sh(machine, `grep -v '^#' ${HOSTS}`)).split('\n')
  const INITIAL = `! grep -E 'initial_(master|cluster_manager)_nodes' ${FILE}`
  const pidAt = (machine: string): Promise<string> =>
    sh(machine, 'systemctl show --property=MainPID --value opensearch')

  test('the first machine founds the cluster, and nothing is left of that', async () => {
    const before = await sh('n1', `cat ${FILE}`)
    await mustJoin(lab, 'n1', undefined, ['--search', 'clustered'])
    await sh('n1', INITIAL)
    const after = await sh('n1', `cat ${FILE}`)
    assert.ok(after.startsWith(before), after)
    assert.match(after, /discovery\.seed_providers: "file"/)
    assert.equal(
      await sh('n1', `stat -c '%U:%G %a' ${HOSTS} ${FILE}`),
      'root:opensearch 644\nopensearch:opensearch 660',
    )
    assert.deepEqual(await nodesAt('n1'), ['n1'])
    await untilHealthy(lab, 'n1', BACK_MS)
  })

  test('what the operator has set is not taken away: a conflict is refused', async () => {
    await sh('n2', `cp -p ${FILE} ${FILE}.kept; echo 'discovery.seed_hosts: ["10.9.9.9"]' >>${FILE}`)
    const sum = await sh('n2', `sha256sum ${FILE}`)
    const refused = await join(lab, 'n2', 'n1')
    assert.equal(refused.exitCode, 78, refused.stdout + refused.stderr)
    assert.match(
      refused.stderr,
      /opensearch\.yml sets discovery\.seed_hosts to \["10\.9\.9\.9"\], but understudy tells/,
    )
    assert.equal(await sh('n2', `sha256sum ${FILE}; test ! -e /etc/understudy/node.json`), sum)
    await sh('n2', `mv ${FILE}.kept ${FILE}`)
  })

  test('a server with an index of its own is refused, and keeps it', async () => {
    await sh('n3', 'systemctl start opensearch')
    await waitFor('the server of n3 answers', BACK_MS, () =>
      ask(lab, 'n3', 'PUT', '/mine/_doc/1?refresh=true', { mine: true }).then(() => true),
    )
    const sum = await sh('n3', `sha256sum ${FILE}`)
    const running = await pidAt('n3')
    const refused = await join(lab, 'n3', 'n1')
    assert.equal(refused.exitCode, 78, refused.stdout + refused.stderr)
    assert.match(refused.stderr, /the search server here has the index mine, which joining would lose;/)
    assert.equal(await sh('n3', `sha256sum ${FILE}; test ! -e ${HOSTS}`), sum)
    assert.equal(await pidAt('n3'), running)
    await ask(lab, 'n3', 'GET', '/mine/_doc/1')
    await sh('n3', 'systemctl stop opensearch')
    const stopped = await join(lab, 'n3', 'n1')
    assert.equal(stopped.exitCode, 78, stopped.stdout + stopped.stderr)
    assert.match(stopped.stderr, /has data in \/var\/lib\/opensearch\/nodes and does not answer/)
    await sh('n3', 'mv /var/lib/opensearch/nodes /var/lib/opensearch-mine')
  })

  test('machines join by the list of the servers alone', async () => {
    const [sum, running] = [await sh('n1', `sha256sum ${FILE}`), await pidAt('n1')]
    await mustJoin(lab, 'n2', 'n1')
    await mustJoin(lab, 'n3', 'n1')
    await untilWhole()
    assert.equal(await sh('n1', `sha256sum ${FILE}`), sum)
    assert.equal(await pidAt('n1'), running)
    const addresses = all.map((machine) => addressOf(lab, machine))
    for (const machine of all) {
      await sh(machine, INITIAL)
      await waitFor(`${machine} has the list`, 60_000, async () =>
        (await hostsOf(machine)).join() === addresses.join() ? true : null,
      )
    }
  })

  test('a document that was acknowledged survives the power cut of any machine', async () => {
    await ask(lab, 'n1', 'PUT', '/things', { settings: { number_of_shards: 1, number_of_replicas: 2 } })
    await untilWhole()
    for (const [index, machine] of all.entries()) {
      const others = all.filter((one) => one !== machine)
      const [other = ''] = others
      const write = (from: string, id: string) =>
        ask(lab, from, 'PUT', `/things/_doc/${id}?wait_for_active_shards=2&timeout=20s`, { index })
      await write(machine, `before-${machine}`)
      const cut = Date.now()
      await lab.poweroff(machine)
      const found = await waitFor(`the document is found without ${machine}`, BACK_MS, async () => {
        const { _source: source } = await ask<{ _source: object }>(
          lab,
          other,
          'GET',
          `/things/_doc/before-${machine}`,
        )
        return source
      })
      assert.deepEqual(found, { index })
      await waitFor(`a client can write without ${machine}`, BACK_MS, () =>
        write(other, `without-${machine}`).then(() => true),
      )
      console.log(`${machine} cut: a write was acknowledged ${Date.now() - cut} ms after it`)
      await lab.poweron(machine)
      await untilWhole()
    }
    const { count } = await ask<{ count: number }>(lab, 'n1', 'GET', '/things/_count')
    assert.equal(count, 2 * all.length)
  })

  test('a list that somebody has changed is as it was, soon', async () => {
    await sh('n2', `rm ${HOSTS}; touch -d '11 minutes ago' /run/understudy-search/report.json`)
    await waitFor('n2 has its list again', 90_000, async () =>
      (await hostsOf('n2').catch(() => [])).length === all.length ? true : null,
    )
  })

  test('a machine that has left has no vote and no shards', async () => {
    // As a machine that was a member once and has no seat any more.
    await sh(
      'n1',
      `consul kv put understudy/search/nodes/n9 '{"schema":1,"id":"gone"}'; systemctl start understudy-search`,
    )
    const settings = await ask<{ persistent: object }>(
      lab,
      'n2',
      'GET',
      '/_cluster/settings?flat_settings=true',
    )
    assert.deepEqual(settings.persistent, { 'cluster.routing.allocation.exclude._name': 'n9' })
    const path = '/_cluster/state/metadata?filter_path=**.voting_config_exclusions.node_id'
    assert.match(JSON.stringify(await ask(lab, 'n2', 'GET', path)), /"node_id":"gone"/)
    await untilWhole()
  })
})
