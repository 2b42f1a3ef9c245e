import { currentPrimary } from '../../../../lib/consul/leadership.ts'
import { UNKNOWN, type Unknown } from '../../../../lib/core/unknown.ts'
import { NOBODY } from '../../../../lib/postgresql/decide-durability.ts'
import {
  AGENT_AWAY_MS,
  type FailoverFacts,
  holdsLock,
  SILENT_AGAIN_MS,
  SILENT_VOTERS_MS,
  TAKE_BACK_MS,
} from '../../../../lib/postgresql/decide-failover.ts'
import { FENCE_AFTER_MS, type FenceFacts } from '../../../../lib/postgresql/decide-fence.ts'
import type { FollowFacts } from '../../../../lib/postgresql/decide-follow.ts'
import { isUnpublished, type RejoinFacts } from '../../../../lib/postgresql/decide-rejoin.ts'
import {
  SILENT_MEMBER_MS,
  type StartEvidence,
  type StartGateFacts,
} from '../../../../lib/postgresql/decide-start-gate.ts'
import type { UpkeepFacts } from '../../../../lib/postgresql/decide-upkeep.ts'
import type { LocalDatabase } from '../../../../lib/postgresql/role.ts'
import { addressOf } from '../../support/documents.ts'
import { leadershipOf, sessionsOf } from './consul.ts'
import { ruleOf } from './rule.ts'
import { asksConsul, NODES, type Node, others, reaches, type State } from './state.ts'
import { lineageBetween, timeline } from './wal.ts'

/** What the database of a machine says of itself. */
export function tell({ machines }: State, node: Node): LocalDatabase {
  const { role, wal, upstream } = machines[node]
  const at = BigInt(wal.length)
  if (role === 'down') return { role }
  if (role === 'primary') return { role, timeline: timeline(wal) }
  return {
    ...{ role, timeline: timeline(wal), receivedLsn: at, replayedLsn: at },
    receiverStopped: upstream === null,
  }
}

const probe = (state: State, from: Node, to: Node): LocalDatabase | Unknown =>
  reaches(state, from, to) ? tell(state, to) : UNKNOWN

const candidate = (node: Node) => {
  const repmgrId = NODES.indexOf(node) + 1
  return { node, repmgrId, vipPriority: 100 - repmgrId, leadsConsul: false }
}

/** @param waitedMs how long the lock has been free: any time may have gone by. */
export function failoverFacts(state: State, node: Node, waitedMs: number): FailoverFacts {
  const asks = asksConsul(state, node)
  const { leader, primary } = leadershipOf(state)
  const published = state.consul.primary.node
  return {
    self: candidate(node),
    leader: asks ? leader : UNKNOWN,
    ownSessions: asks ? sessionsOf(state, node) : UNKNOWN,
    startSessions: sessionsOf(state, node).filter((session) => session.endsWith('start')),
    primary: asks ? primary : UNKNOWN,
    sync: asks ? state.consul.sync : UNKNOWN,
    confirmed: null,
    local: tell(state, node),
    primaryDatabase: published === node ? UNKNOWN : probe(state, node, published),
    ...{ silentMs: SILENT_AGAIN_MS, hasAnswered: false, promotionFailed: false, waitedMs },
    ...{ primaryFails: false, unlockedMs: waitedMs < TAKE_BACK_MS ? 0 : AGENT_AWAY_MS },
    heldMs: waitedMs < TAKE_BACK_MS ? 0 : SILENT_VOTERS_MS,
    peers: others(node)
      .filter((peer) => peer !== published)
      .map((peer) => ({
        ...candidate(peer),
        healthy: asksConsul(state, peer) && state.machines[peer].role !== 'down',
        database: probe(state, node, peer),
      })),
  }
}

const seenLeadership = (state: State, node: Node): Pick<FenceFacts, 'leadership' | 'ownSessions'> => ({
  leadership: asksConsul(state, node) ? leadershipOf(state) : UNKNOWN,
  ownSessions: asksConsul(state, node) ? sessionsOf(state, node) : UNKNOWN,
})

export const startGateFacts = (state: State, node: Node): StartGateFacts => ({
  ...{
    ours: true,
    node,
    elsewhere: null,
    standbySignal: state.machines[node].standbySignal,
    starts: null,
    traces: null,
  },
  ...seenLeadership(state, node),
  ...{ compared: false, evidence: evidenceFor(state, node), waitedMs: SILENT_MEMBER_MS },
})

/** What the standbys that answer have, where their timeline was published. Nothing takes a machine's data back in time here. */
function evidenceFor(state: State, node: Node): StartEvidence {
  const published = leadershipOf(state).primary?.timeline ?? 0
  const found = others(node).flatMap((other) => {
    const database = probe(state, node, other)
    return database !== UNKNOWN && database.role === 'standby' && database.timeline <= published
      ? [{ who: other, timeline: database.timeline, lsn: database.replayedLsn }]
      : []
  })
  const { wal } = state.machines[node]
  const own = { timeline: timeline(wal), lsn: BigInt(wal.length) }
  return { own, found: [{ who: 'Consul', timeline: published, lsn: 0n }, ...found], silent: [] }
}

export const standbysOf = ({ machines }: State, primary: Node): Node[] =>
  others(primary).filter((node) => machines[node].upstream === primary && machines[node].sender !== null)

export const fenceFacts = (state: State, node: Node): FenceFacts => ({
  ...{ node, local: tell(state, node), members: NODES.length, waitedMs: FENCE_AFTER_MS },
  streaming: standbysOf(state, node),
  commit: ruleOf(state.machines[node].rule),
  ...seenLeadership(state, node),
})

/** What follow, rejoin and the check see. */
export function replicationFacts(state: State, node: Node): FollowFacts & RejoinFacts {
  const { standbySignal, upstream, sender, promotedFrom } = state.machines[node]
  const local = tell(state, node)
  const { leadership } = seenLeadership(state, node)
  const unpublished = isUnpublished(promotedFrom, local)
  return {
    ...{ node, leadership, local, standbySignal, unpublished },
    upstream: upstream && addressOf(upstream),
    streaming: sender !== null,
    lineage: lineageTo(state, node),
    ...{ data: unpublished ? 'unpublished' : 'intact', failure: null, nowMs: 0 },
    ...{ elsewhere: null, replaced: false, damage: null, primaryLacks: null, crowded: false },
  }
}

function lineageTo(state: State, node: Node): FollowFacts['lineage'] {
  const { role, sender, wal } = state.machines[node]
  const primary = currentPrimary(leadershipOf(state))?.node as Node | undefined
  if (!primary || primary === node || role !== 'standby' || sender !== null) return null
  const probed = probe(state, node, primary)
  if (probed === UNKNOWN || probed.role !== 'primary') return UNKNOWN
  return lineageBetween(wal, state.machines[primary].wal)
}

/** @param withoutStandbyMs how long no standby has streamed: where none does, any time may have gone by. */
export function upkeepFacts(state: State, node: Node, withoutStandbyMs: number): UpkeepFacts {
  const { machines } = state
  const { rule, proven, wal } = machines[node]
  const leadership = leadershipOf(state)
  const holds =
    asksConsul(state, node) &&
    holdsLock({ leader: leadership.leader, ownSessions: sessionsOf(state, node) }) &&
    currentPrimary(leadership)?.node === node
  const streaming = standbysOf(state, node)
  const sync = state.consul.sync
  const members = NODES.map((one) => ({
    node: one,
    healthy: asksConsul(state, one) && machines[one].role !== 'down',
  }))
  const own = sync.node === node ? sync : null
  const rules = { election: own ?? NOBODY, saysWaits: own?.waits === true }
  const underLock = { members, mode: 'quorum', ...rules } as const
  return {
    ...{ node, underLock: holds ? underLock : null, commit: ruleOf(rule), fileDiffers: false },
    ...{ streaming, withoutStandbyMs, proven, failed: null, elapsedMs: 0 },
    level: streaming.filter((one) => machines[one].wal === wal),
  }
}
