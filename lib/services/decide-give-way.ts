import type { PlacementPolicy } from '../consul/manifest.ts'
import type { Plan } from '../core/reconciler.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'
import { YIELD_WEIGHT } from '../virtual-ip/decide-weight.ts'
import type { CheckStatus } from './decide-status.ts'
import type { ServiceList, ServiceMoves, ServiceNode } from './manifest.ts'

/** Another member, as far as it matters whether it could be the active machine. */
export interface OtherMachine {
  node: string
  /** Consul's gossip reaches it. */
  alive: boolean
  /** Of the election of the virtual IP. */
  priority: number
  /** What it makes of the services; null where it has not said. */
  states: ServiceNode['services'] | null
  /** What the checks of the services say there; one without a check does not run there. */
  checks: Readonly<Record<string, CheckStatus>>
}

export interface GiveWayFacts {
  node: string
  priority: number
  policy: PlacementPolicy
  list: ServiceList
  /** The services that give way and fail on this machine, the active one, and for how long this run has seen that without a break. */
  failing: Readonly<Record<string, number>>
  /** Since this machine became the active one, as far as its services are concerned. */
  activeMs: number
  moves: ServiceMoves | null | Unknown
  others: readonly OtherMachine[] | Unknown
  /** The standbys that may be promoted and have everything but the latest; null where the database stays. */
  standbys: readonly string[] | Unknown | null
  nowMs: number
}

export interface GiveWayPlan extends Plan {
  /** `watch` looks again; `note` only writes down that a service has failed; `yield` moves the address, `hand-over` the primary. */
  do: 'nothing' | 'watch' | 'note' | 'yield' | 'hand-over'
  /** Who is to be the active machine. */
  to?: string
  moves?: ServiceMoves
}

/** How long a service must fail before the active role moves: three results of its check. */
export const FAILING_MS = 15_000
/** A service that has just been started may not have come up yet. */
export const GRACE_MS = 60_000
/** How long the active role stays after it has moved for a service; every further move doubles it. */
export const HOLD_MS = 5 * 60_000
/** Longer than that it does not stay: the next machine may be in order. */
export const LONGEST_HOLD_MS = 60 * 60_000
/** After so long without a failure all moves are forgotten. */
export const HEALTHY_MS = 60 * 60_000
/** How often it is written down that a service goes on failing. */
const NOTE_EVERY_MS = 60_000
/** How much less a machine that has given way weighs in the election of the address: more than the priorities of five differ. */
const YIELDS = -YIELD_WEIGHT

const NO_MOVES: ServiceMoves = { schema: 1, count: 0, movedAt: null, failedAt: null, left: [] }

/**
 * Where a service that gives way fails on the active machine, another machine becomes the active one: one on which that service does
 * not fail, as far as that can be known. It stays there: a machine that was left is no choice again before an hour in which no such
 * service has failed. Where no machine is fit, or one has just been left, everything stays as it is.
 */
export function decideGiveWay(facts: GiveWayFacts): GiveWayPlan {
  const { node, failing, activeMs, others, standbys, nowMs } = facts
  const names = Object.keys(failing).sort()
  if (names.length === 0) return { do: 'nothing', why: 'no service that gives way fails' }
  const what = `the service ${names.join(', ')} fails`
  if (activeMs < GRACE_MS) return { do: 'nothing', why: `${what}, but this machine has just become active` }
  if (facts.moves === UNKNOWN || others === UNKNOWN || standbys === UNKNOWN)
    return { do: 'nothing', why: `${what}, and it is not known who could take over` }
  const moves = movesSince(facts.moves, nowMs)
  const stay = (why: string): GiveWayPlan => {
    const noted = moves.failedAt !== null && ageMs(moves.failedAt, nowMs) < NOTE_EVERY_MS
    if (noted) return { do: 'nothing', why: `${what}: ${why}` }
    return { do: 'note', why: `${what}: ${why}`, moves: { ...moves, failedAt: timeOf(nowMs) } }
  }
  const holdMs = holdOf(moves)
  if (moves.movedAt !== null && ageMs(moves.movedAt, nowMs) < holdMs)
    return stay(`the active role has moved less than ${holdMs / 60_000} min ago`)
  const to = nextActive(facts, names, moves, others)
  if (to === null) return stay('no other machine is fit')
  const longestMs = Math.max(...Object.values(failing))
  if (longestMs < FAILING_MS) return { do: 'watch', why: what }
  return {
    do: facts.policy === 'fixed' ? 'yield' : 'hand-over',
    why: `${what}: ${to} is to be the active machine`,
    to,
    moves: {
      ...{ schema: 1, count: moves.count + 1 },
      ...{ movedAt: timeOf(nowMs), failedAt: timeOf(nowMs), left: [...moves.left, node] },
    },
  }
}

/** What still counts of the moves. */
function movesSince(moves: ServiceMoves | null, nowMs: number): ServiceMoves {
  const isForgotten = moves === null || moves.failedAt === null || ageMs(moves.failedAt, nowMs) >= HEALTHY_MS
  return isForgotten ? NO_MOVES : moves
}

/** How long the active role stays after so many moves. */
export const holdOf = ({ count }: Pick<ServiceMoves, 'count'>): number =>
  count === 0 ? 0 : Math.min(HOLD_MS * 2 ** (count - 1), LONGEST_HOLD_MS)

/** Times are those of other machines: one that lies ahead is taken for now. */
const ageMs = (at: string, nowMs: number): number => Math.max(0, nowMs - Date.parse(at))

const timeOf = (ms: number): string => new Date(ms).toISOString()

/** Who becomes the active machine, or null where it is nobody who is fit. */
function nextActive(
  { node, priority, policy, list, standbys }: GiveWayFacts,
  failing: readonly string[],
  { left }: ServiceMoves,
  others: readonly OtherMachine[],
): string | null {
  const fit = others.filter(
    (other) =>
      other.alive && !left.includes(other.node) && other.node !== node && isFit(other, list, failing),
  )
  if (policy !== 'fixed') {
    const level = standbys === UNKNOWN || standbys === null ? [] : standbys
    return byPriority(fit.filter((other) => level.includes(other.node)))[0]?.node ?? null
  }
  // The election of the address asks for nothing but weights: whoever wins it must be fit.
  const weightOf = (other: OtherMachine): number => other.priority - (left.includes(other.node) ? YIELDS : 0)
  const [winner] = others
    .filter((other) => other.alive && other.node !== node)
    .sort((one, other) => weightOf(other) - weightOf(one))
  if (winner === undefined || weightOf(winner) <= priority - YIELDS) return null
  return fit.includes(winner) ? winner.node : null
}

const byPriority = (others: readonly OtherMachine[]): OtherMachine[] =>
  [...others].sort((one, other) => other.priority - one.priority)

/** It has every unit of the active machine, and what fails here does not fail there. */
function isFit({ states, checks }: OtherMachine, list: ServiceList, failing: readonly string[]): boolean {
  if (states === null) return false
  return Object.entries(list).every(([name, { run }]) => {
    const state = states[name]
    if (run === 'active') return state === 'elsewhere' || state === 'here'
    return !failing.includes(name) || (state === 'here' && checks[name] === 'passing')
  })
}
