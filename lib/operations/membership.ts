import { existsSync, rmSync } from 'node:fs'
import { components } from '../components.ts'
import type { Consul } from '../consul/client.ts'
import { renderConsulAgent, renderConsulBootstrap, renderConsulServices } from '../consul/config.ts'
import { consulKeys, consulPaths, consulUnits } from '../consul/manifest.ts'
import { leaderSession } from '../consul/session.ts'
import { readVoters } from '../consul/voters.ts'
import { readText, replaceFile } from '../core/atomic-files.ts'
import type { Settings } from '../core/settings.ts'
import { ensureRunning, unit } from '../core/systemd.ts'
import { UNKNOWN } from '../core/unknown.ts'
import type { SystemUser } from '../core/users.ts'
import { version } from '../core/version.ts'
import { waitFor } from '../core/wait.ts'
import { localDatabase, probe } from '../postgresql/database.ts'
import { postgresqlKeys, postgresqlUnits } from '../postgresql/manifest.ts'
import { sql } from '../postgresql/server.ts'
import { virtualIpKeys } from '../virtual-ip/manifest.ts'
import { consulData } from './machine.ts'

const LEADER_MS = 30_000
const VOTERS_MS = 5000
const CHECKS_MS = 45_000
const STREAMING_MS = 60_000
/** Checks that a member must pass, by their ids in consul-config/services.json. */
const CHECKS = ['serfHealth', 'postgresql', 'pgbouncer', 'understudy']

/** Starts the agent and waits until there is a leader. Without members to join it makes a cluster of its own, once. */
export async function startConsul(
  consul: Consul,
  node: string,
  address: string,
  join: readonly string[],
): Promise<void> {
  const others = join.filter((member) => member !== address)
  // Joining again without naming anybody else must not make a member forget whom it joined.
  if (others.length > 0 || readText(consulPaths.config) === null) {
    replaceFile(
      consulPaths.config,
      renderConsulAgent({ node, address, dataDirectory: consulData(), join: others }),
    )
  }
  const files: string[] = [consulPaths.config]
  // Only a server that has never run may found a cluster; one whose first start was interrupted still may.
  const begun = existsSync(`${consulData()}/raft`)
  if (join.length === 0 && (!begun || existsSync(consulPaths.bootstrap))) {
    replaceFile(consulPaths.bootstrap, renderConsulBootstrap())
    files.push(consulPaths.bootstrap)
  }
  await ensureRunning(consulUnits.agent, files)
  await waitFor('Consul has a leader', LEADER_MS, () => consul.leader())
  rmSync(consulPaths.bootstrap, { force: true })
}

/** Tells the agent what it runs for us: services, checks, watches. */
export async function reloadServices(consul: Consul, settings: Settings): Promise<void> {
  const changed = replaceFile(consulPaths.services, renderConsulServices(components, settings))
  if (changed || (await consul.serviceTags('understudy')) === null) await unit('reload', consulUnits.agent)
  await waitFor('Consul knows our services', LEADER_MS, () => consul.serviceTags('understudy'))
}

/** The first machine takes the lock and publishes itself; from then on the handlers see to both. */
export async function beLeader(consul: Consul, settings: Settings): Promise<void> {
  if ((await consul.get(consulKeys.primary)) !== null) return
  const { node, address, postgresqlPort: port } = settings
  const database = await probe(localDatabase('understudy_monitor', port), 5000)
  const timeline = database !== UNKNOWN && database.role === 'primary' ? database.timeline : 1
  // The session wants the database's check to pass, which it does some seconds after its registration.
  const session = await waitFor('Consul sees the database', CHECKS_MS, () => leaderSession(consul, node))
  const seen = await consul.get(consulKeys.leader)
  await consul.acquire(
    consulKeys.leader,
    { schema: 1, node, since: new Date().toISOString(), why: 'founded the cluster' },
    session,
    seen?.modifyIndex ?? 0,
  )
  await waitFor('the first primary is published', LEADER_MS, async () => {
    const leader = await consul.get(consulKeys.leader)
    const primary = { schema: 1, node, address, port, timeline, epoch: leader?.lockIndex ?? 0 }
    const published = await consul.transaction([
      { verb: 'check-session', key: consulKeys.leader.path, session },
      { verb: 'set', key: consulKeys.primary.path, value: primary },
    ])
    return published || null
  })
}

/** Makes the machine known as a member. */
export async function publishMember(consul: Consul, settings: Settings): Promise<void> {
  const { node, address, repmgrId, postgresqlPort: port, postgresqlVersion, vipPriority: priority } = settings
  const [member, keepalived, database] = await Promise.all([
    consul.get(consulKeys.node(node)),
    consul.get(virtualIpKeys.node(node)),
    consul.get(postgresqlKeys.node(node)),
  ])
  const now = new Date().toISOString()
  if (!database) await consul.set(postgresqlKeys.node(node), { schema: 1, repmgrId, address, port })
  if (!keepalived)
    await consul.set(virtualIpKeys.node(node), { schema: 1, priority, state: 'BACKUP', since: now })
  if (!member) {
    const versions = { understudy: version, postgresql: String(postgresqlVersion) }
    await consul.set(consulKeys.node(node), { schema: 1, address, joinedAt: now, versions })
  }
  // On the primary this gives every member its replication slot; elsewhere it finds nothing to do.
  await unit('start', postgresqlUnits.failover)
}

/** A joining server counts for the quorum only once autopilot has made it a voter. */
export async function waitForVote(node: string): Promise<void> {
  await waitFor(`Consul's server on ${node} has a vote`, LEADER_MS, async () => {
    return (await readVoters(VOTERS_MS)).includes(node) || null
  })
}

/** Waits until this machine's own checks pass. Consul spreads their first runs over their intervals. */
export async function waitForChecks(consul: Consul, node: string): Promise<void> {
  await waitFor(`the checks of ${node} pass (${CHECKS.join(', ')})`, CHECKS_MS, async () => {
    const own = (await consul.checks()).filter((check) => check.node === node)
    const failing = CHECKS.filter((id) => own.find(({ checkId }) => checkId === id)?.status !== 'passing')
    if (failing.length === 0) return true
    throw new Error(
      failing
        .map((id) => `${id}: ${own.find(({ checkId }) => checkId === id)?.output.trim() || 'no answer yet'}`)
        .join('; '),
    )
  })
}

export async function waitForStreaming(port: number, as: SystemUser): Promise<void> {
  await waitFor('the standby streams from the primary', STREAMING_MS, async () => {
    const state = await sql(as, port, 'postgres', `select status from pg_stat_wal_receiver`)
    return state === 'streaming' || null
  })
}
