/** One round: faults, healing, and then everything has to be in order again and every promise kept. */
import { setTimeout as pause } from 'node:timers/promises'
import { explain } from '../../../lib/core/errors.ts'
import { waitFor } from '../../../lib/core/wait.ts'
import { putRight } from '../lib/restore.ts'
import { steadyNow } from '../lib/steady-clock.ts'
import { askRoles, copyOn, mainPid, rowsOf, viewAll } from './ask.ts'
import { faultNamed } from './catalogue.ts'
import type { Evidence, Violation } from './evidence.ts'
import type { Aim, Fault, Heal, Role } from './fault.ts'
import { longestGapMs } from './gaps.ts'
import { deviations } from './order.ts'
import type { Random } from './random.ts'
import type { Scenario, Step } from './scenario.ts'
import type { Stage } from './stage.ts'
import { doubledIn, judge, judgeCopies, lostIn } from './verdict.ts'
import { NETWORK_CLIENT } from './writers.ts'

/**
 * From the end of all faults until everything is in order, without an operator. When all machines were off, Consul's new leader may
 * forget one that is not there yet, and some of its checks are missing until its agent compares all again: every one to two minutes.
 */
export const RECOVERY_MS = 150_000
const WRITE_MS = 20_000
/** Until a daemon that hangs is ended: an agent after 70 s, then whatever it has checked. The recovery begins after that. */
const ENDED_MS = 120_000
/** A look costs every machine the start of a program: too many would hinder what they look at. */
const LOOK_AGAIN_MS = 2500
/** So many rows are written after a promotion before the faults are healed. */
const ROWS_AFTER_PROMOTION = 100

export interface Outcome {
  readonly violations: readonly Violation[]
  /** The cluster is in order, and its rows are right: another round can be played on it. */
  readonly isUsable: boolean
  /** Longest time without an acknowledgement for the client in the network. */
  readonly gapMs: number
  /** From when the last fault began to be healed (a machine has to boot) until everything was in order, or null. */
  readonly recoveryMs: number | null
  readonly primaries: { readonly before: string | null; readonly after: string | null }
  /** How many rows were acknowledged in this round. */
  readonly acknowledged: number
  /** How many acknowledged rows were found to be gone: a violation, unless commits do not wait. */
  readonly lost: number
  /** How many values are there more than once. */
  readonly doubled: number
}

/**
 * Plays a scenario on a cluster that is in order.
 * @param patienceMs how long it may take until everything is in order again.
 */
export async function playRound(
  stage: Stage,
  scenario: Scenario,
  random: Random,
  patienceMs = RECOVERY_MS,
): Promise<Outcome> {
  const { events, writers, missed } = stage
  const acknowledgedBefore = writers.acknowledgements
  const from = events.note(`-- ${scenario.name}`)
  const before = (await askRoles(stage.lab, stage.machines)).primary
  const violations: Violation[] = []
  let healingAt = from
  try {
    healingAt = await playFaults(stage, scenario, random)
  } catch (error) {
    violations.push({ rule: 'not played', detail: explain(error) })
    events.note('everything is put right')
    await putRight(stage.lab, (what) => events.note(what))
  }
  const healedAt = events.note('all is healed')
  const late = await untilInOrder(stage, healedAt, patienceMs)
  const to = steadyNow()
  if (late !== null) violations.push({ rule: 'not recovered', detail: late })
  events.note(late === null ? 'all is in order' : `not in order: ${late}`)

  const after = (await askRoles(stage.lab, stage.machines)).primary
  let [lost, doubled] = [0, 0]
  if (after !== null) {
    const evidence = { ...(await gather(stage, after)), overlapMs: scenario.overlapMs ?? 0 }
    violations.push(...judge(evidence))
    const missedBefore = missed.size
    for (const { value } of lostIn(evidence)) missed.add(value)
    lost = missed.size - missedBefore
    doubled = doubledIn(evidence).length
    if (late === null) violations.push(...(await compareCopies(stage, after)))
  }
  const acknowledged = writers.acknowledgements - acknowledgedBefore
  const gapMs = longestGapMs(writers.attempts, NETWORK_CLIENT, { from, to })
  const primaries = { before, after }
  if (violations.length === 0) violations.push(...compare(scenario, primaries, gapMs))
  for (const { rule, detail } of violations) events.note(`VIOLATION ${rule}: ${detail}`)
  const recoveryMs = late === null ? to - healingAt : null
  const isUsable = violations.every(({ rule }) => rule === 'unexpected' || rule === 'too slow')
  return { violations, isUsable, gapMs, recoveryMs, primaries, acknowledged, lost, doubled }
}

/** @returns when the last fault began to be healed. */
async function playFaults(stage: Stage, { steps, lasts }: Scenario, random: Random): Promise<number> {
  const { timeline } = stage
  const heals: { machine: string; what: string; heal: Heal }[] = []
  const taken: string[] = []
  for (const step of steps) {
    await pause(step.afterMs ?? 0)
    const fault: Fault = faultNamed(step.fault)
    const aim = await takeAim(stage, step, taken, random)
    const what = fault.what.replaceAll('$', aim.machine)
    stage.events.note(what)
    heals.push({ machine: aim.machine, what, heal: await fault.inject(stage, aim) })
    if (fault.takes === 'the machine') taken.push(aim.machine)
  }
  if ('ms' in lasts) await pause(lasts.ms)
  else {
    await stage.untilPromoted(timeline, lasts.untilPromotedMs)
    await stage.untilMoreWritten(ROWS_AFTER_PROMOTION, WRITE_MS)
  }
  let healingAt = 0
  // A machine has to be on before anything can be healed in it: the other way round there, in any order else.
  const sameMachine = new Set(heals.map(({ machine }) => machine)).size < heals.length
  for (const { what, heal } of sameMachine ? heals.reverse() : random.shuffle(heals)) {
    healingAt = stage.events.note(`healing: ${what}`)
    await heal()
  }
  return healingAt
}

/** Finds the machine that has a role now, or any other where none can be found in that role. */
async function takeAim(
  stage: Stage,
  { fault, on }: Step,
  taken: readonly string[],
  random: Random,
): Promise<Aim> {
  const free = stage.others(...taken)
  const roles = await askRoles(stage.lab, free)
  const candidates: Record<Role, readonly string[]> = {
    primary: roles.primary === null ? free : [roles.primary],
    standby: roles.standbys.length === 0 ? free : roles.standbys,
  }
  if (free.length === 0) throw new Error(`${fault}: every machine is taken by another fault`)
  const machine = random.pick(candidates[on])
  return { machine, primary: roles.primary ?? random.pick(free), random }
}

/** @returns what is still not in order after the time it may take, or null. */
async function untilInOrder(stage: Stage, healedAt: number, patienceMs: number): Promise<string | null> {
  const { lab, writers } = stage
  try {
    await waitFor(
      'every daemon that hangs has been ended',
      ENDED_MS,
      async () => {
        const found = await stillHanging(stage)
        if (found.length === 0) return true
        throw new Error(found.join('; '))
      },
      LOOK_AGAIN_MS,
    )
    await waitFor(
      'everything is in order',
      patienceMs,
      async () => {
        const found = deviations(await viewAll(lab))
        if (found.length === 0) return true
        throw new Error(found.join('; '))
      },
      LOOK_AGAIN_MS,
    )
    await writers.untilEachWrote(healedAt, WRITE_MS)
    return null
  } catch (error) {
    return explain(error)
  } finally {
    stage.hanging = []
  }
}

/** What hangs of the daemons that nobody lets go on. */
async function stillHanging({ lab, hanging }: Stage): Promise<string[]> {
  const found = hanging.map(async ({ machine, unit, pid }) =>
    (await mainPid(lab, machine, unit)) === pid ? [`${unit} on ${machine} still hangs`] : [],
  )
  return (await Promise.all(found)).flat()
}

/** What the verdict is found from. Clients go on writing: what counts is what they were told before the table was read. */
async function gather({ lab, cluster, writers, sightings }: Stage, primary: string): Promise<Evidence> {
  const known = new Set(writers.attempts.filter(({ acknowledged }) => acknowledged !== null))
  const rows = await rowsOf(lab, primary)
  const attempts = writers.attempts.map((attempt) =>
    known.has(attempt) ? attempt : { ...attempt, acknowledged: null },
  )
  return { attempts, rows, sightings, commitsWait: cluster.durability !== 'async' }
}

/** Each standby has what the primary has. */
async function compareCopies(stage: Stage, primary: string): Promise<Violation[]> {
  try {
    const copies = []
    for (const standby of stage.others(primary)) copies.push(await copyOn(stage.lab, standby, primary))
    return judgeCopies(copies)
  } catch (error) {
    return [{ rule: 'not recovered', detail: explain(error) }]
  }
}

function compare(scenario: Scenario, { before, after }: Outcome['primaries'], gapMs: number): Violation[] {
  const found: Violation[] = []
  if (scenario.primary !== 'either' && (before === after) !== (scenario.primary === 'same')) {
    const wanted = scenario.primary === 'same' ? 'no failover' : 'a failover'
    found.push({
      rule: 'unexpected',
      detail: `${wanted} was expected; ${after} is the primary after ${before}`,
    })
  }
  if (scenario.longestGapMs !== undefined && gapMs > scenario.longestGapMs) {
    const detail = `nothing was acknowledged to the client in the network for ${Math.round(gapMs)} ms, the most is ${scenario.longestGapMs} ms`
    found.push({ rule: 'too slow', detail })
  }
  return found
}
