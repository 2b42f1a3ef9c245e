/** The search servers of the operator as one cluster: OpenSearch. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { waitFor } from '../../lib/core/wait.ts'
import { addressOf, join, mustJoin, untilHealthy } from './lib/cluster.ts'
import { Lab } from './lib/lab.ts'
import { ask, SETTINGS_FILE as FILE, installOpenSearch, upWithSearch } from './lib/opensearch.ts'

const all = ['n1', 'n2', 'n3']
/** A server in Java starts on a busy host, and shards are copied. */
const BACK_MS = 240_000
const HOSTS = '/etc/opensearch/unicast_hosts.txt'

describe('search clustered', () => {
  const name = 'search-cluster'
  let lab: Lab
  const sh = async (machine: string, script: string): Promise<string> =>
    (await lab.exec(machine, ['sh', '-euc', script], { timeoutMs: 120_000 })).stdout.trim()

  before(async () => {
    lab = await upWithSearch(name)
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
