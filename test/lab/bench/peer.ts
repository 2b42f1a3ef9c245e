/** The cluster beside ours: Patroni of the same Debian release, on machines and a Consul of the same kind. */
import { randomBytes } from 'node:crypto'
import { renderConsulAgent, renderConsulMembers } from '../../../lib/consul/config.ts'
import { DEFAULT_REALM } from '../../../lib/consul/realm.ts'
import { waitFor } from '../../../lib/core/wait.ts'
import { sqlAsPostgres } from '../lib/cluster.ts'
import { ensureImage } from '../lib/image.ts'
import { Lab } from '../lib/lab.ts'
import { packagesWithDependencies } from '../lib/packages.ts'
import type { Suite } from '../lib/state.ts'
import { CREATE_TABLE, Writer } from '../lib/writer.ts'
import { type PeerSettings, type PeerTimes, peerTimes, REST_PORT, renderPeer } from './peer-config.ts'
import { type Cluster, consulLeaderOf, countLost, type Scene, VALUES_PER_WRITER } from './stage.ts'

export const PEER_LAB = 'bench-peer'
const MACHINES = 3
const HEALTHY_MS = 180_000
const INSTALL_MS = 300_000
const POSTGRESQL: Record<Suite, number> = { trixie: 17, bookworm: 15 }

/** What GET /cluster says of a machine: https://patroni.readthedocs.io/en/latest/rest_api.html. */
interface Member {
  readonly name: string
  readonly role: string
  readonly state: string
  readonly timeline?: number
  readonly lag?: number | string
}

/** Makes Debian's own cluster give way, and Patroni's take its place. */
const PREPARE = `pg_dropcluster --stop "$1" main
DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends /var/tmp/peer/*.deb
install -d -o postgres -g postgres -m 0700 "/var/lib/postgresql/$1/main"`

export class PeerStage implements Cluster {
  readonly lab: Lab
  readonly publishes = false
  readonly #password: string
  #writers = 0
  #settings: PeerSettings = 'default'

  private constructor(lab: Lab, password: string) {
    this.lab = lab
    this.#password = password
  }

  /** Three new machines with Patroni. */
  static async build(suite: Suite, log: (line: string) => void): Promise<PeerStage> {
    log('a cluster of three machines with Patroni is started')
    const debs = await packagesWithDependencies(
      suite,
      ['patroni', 'python3-consul'],
      await ensureImage(suite, log),
    )
    await Lab.remove(PEER_LAB)
    const lab = await Lab.up({ name: PEER_LAB, machines: MACHINES, suite, log })
    const stage = new PeerStage(lab, randomBytes(16).toString('hex'))
    await Promise.all(lab.machines.map(({ name }) => stage.#install(name, debs)))
    const [first = '', ...others] = lab.machines.map(({ name }) => name)
    await stage.#start(first)
    await waitFor('Patroni has made a database', HEALTHY_MS, async () => (await stage.#leader()) ?? null)
    await Promise.all(others.map((machine) => stage.#start(machine)))
    const { primary } = await stage.untilHealthy()
    await sqlAsPostgres(lab, primary, `create role app login password '${stage.#password}'`, 'postgres')
    await sqlAsPostgres(lab, primary, 'create database app owner app', 'postgres')
    await sqlAsPostgres(lab, primary, `set role app; ${CREATE_TABLE}`)
    return stage
  }

  /** Consul as ours has it, and Patroni. */
  async #install(machine: string, debs: readonly string[]): Promise<void> {
    const address = this.#addressOf(machine)
    for (const deb of debs) await this.lab.copyIn(machine, deb, `/var/tmp/peer/${deb.split('/').at(-1)}`)
    const version = POSTGRESQL[this.lab.suite]
    await this.lab.exec(machine, ['sh', '-euc', PREPARE, 'prepare', String(version)], {
      timeoutMs: INSTALL_MS,
    })
    const agent = { node: machine, address, dataDirectory: '/var/lib/consul', realm: DEFAULT_REALM }
    const files = {
      '/etc/consul.d/agent.json': renderConsulAgent(agent),
      '/etc/consul.d/members.json': renderConsulMembers(this.lab.machines.map((other) => other.address)),
      '/etc/consul.d/bench.json': JSON.stringify({ bootstrap_expect: MACHINES }),
      '/etc/patroni/config.yml': renderPeer({
        ...{ node: machine, address, version, password: this.#password },
        synchronousMode: this.lab.suite === 'trixie' ? 'quorum' : true,
      }),
    }
    for (const [path, input] of Object.entries(files))
      await this.lab.exec(machine, ['sh', '-euc', 'cat > "$1"', 'write', path], { input })
    await this.lab.exec(machine, ['systemctl', 'enable', '--now', 'consul'])
  }

  async #start(machine: string): Promise<void> {
    await this.lab.exec(machine, ['systemctl', 'enable', '--now', 'patroni'])
  }

  #addressOf(machine: string): string {
    return this.lab.machines.find(({ name }) => name === machine)?.address ?? ''
  }

  /** What the machines say, asked from a client: the first one that answers. */
  async #rest<T>(path: string, argv: readonly string[] = []): Promise<T> {
    const urls = this.lab.machines.map(({ address }) => `http://${address}:${REST_PORT}${path}`)
    return Promise.any(
      urls.map(async (url) => {
        const { stdout } = await this.lab.clientExec(['curl', '-sSf', '--max-time', '5', ...argv, url])
        return JSON.parse(stdout) as T
      }),
    )
  }

  async #members(): Promise<readonly Member[]> {
    return (await this.#rest<{ members: Member[] }>('/cluster')).members
  }

  async #leader(): Promise<Member | undefined> {
    const members = await this.#members()
    return members.find(({ role, state }) => role === 'leader' && state === 'running')
  }

  /** Waits until every machine streams from one primary, and a standby confirms its commits. */
  async untilHealthy(): Promise<Scene> {
    const leader = await waitFor('Patroni has three members in order', HEALTHY_MS, async () => {
      const members = await this.#members()
      const primary = members.find(({ role, state }) => role === 'leader' && state === 'running')
      const standbys = members.filter(
        ({ state, lag, timeline }) =>
          ['streaming', 'running'].includes(state) && lag === 0 && timeline === primary?.timeline,
      )
      const confirms = members.some(({ role }) => role === 'sync_standby' || role === 'quorum_standby')
      if (primary && standbys.length === MACHINES - 1 && confirms) return primary
      throw new Error(JSON.stringify(members))
    })
    const [one, other] = this.lab.machines.map(({ name }) => name).filter((name) => name !== leader.name)
    return {
      lab: this.lab,
      primary: leader.name,
      timeline: leader.timeline ?? 0,
      standbys: [one ?? '', other ?? ''],
      consulLeader: await consulLeaderOf(this.lab, leader.name),
    }
  }

  /** Gives all members other times, and waits until they live by them. */
  async use(settings: PeerSettings): Promise<void> {
    if (settings === this.#settings) return
    const times: PeerTimes = peerTimes[settings]
    await this.#rest('/config', ['--request', 'PATCH', '--data', JSON.stringify(times)])
    const changed = Date.now() / 1000
    await waitFor('every member of Patroni has looked at its settings', HEALTHY_MS, async () => {
      const seen = await Promise.all(
        this.lab.machines.map(async ({ address }) => {
          const { stdout } = await this.lab.clientExec([
            'curl',
            '-s',
            `http://${address}:${REST_PORT}/patroni`,
          ])
          return (JSON.parse(stdout) as { dcs_last_seen: number }).dcs_last_seen
        }),
      )
      return seen.every((at) => at > changed) || null
    })
    this.#settings = settings
  }

  /** A client that knows all machines and writes to the one that is primary: libpq's target_session_attrs does the same. */
  async write(): Promise<Writer> {
    const hosts = this.lab.machines.map(({ address }) => address)
    const writer = await Writer.start(this.lab, this.#password, ++this.#writers * VALUES_PER_WRITER, {
      ...{ host: hosts, port: 5432 },
    })
    await waitFor('100 writes', 20_000, async () => writer.acknowledged.length >= 100 || null)
    return writer
  }

  /** How many acknowledged writes are not there. */
  async countLost(writer: Writer): Promise<number> {
    const { primary } = await this.untilHealthy()
    return countLost(writer, (text) => sqlAsPostgres(this.lab, primary, text))
  }
}
