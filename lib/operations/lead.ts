import { callIfNeeded } from '../command/apply.ts'
import { CONSUL_PATIENCE_MS, type Context } from '../consul/handler.ts'
import { currentPrimary } from '../consul/leadership.ts'
import { readLeadership } from '../consul/observe-leadership.ts'
import { serviceTag } from '../consul/service-tag.ts'
import { EXIT, type ExitCode, explain } from '../core/errors.ts'
import { log } from '../core/log.ts'
import {
  type Next,
  type Plan,
  type Reconciler,
  type Run,
  reconcile,
  untilAnswered,
} from '../core/reconciler.ts'
import { orUnknown, UNKNOWN, unknownOnFailure } from '../core/unknown.ts'
import { pooler } from '../pooler/reconciler.ts'
import { followIfNeeded } from '../postgresql/apply-follow.ts'
import { leaveServices, requestServices } from '../services/request.ts'
import { virtualIpWeight } from '../virtual-ip/weight.ts'
import { decideLead, type LeadFacts, type LeadPlan } from './decide-lead.ts'

/** Between two looks for the new primary: clients wait for it. */
const LOOK_AGAIN_MS = 50

/** One run in which everything on this machine follows who leads. What fails in one part does not keep the others from it. */
export function leadRun() {
  const memory = { followed: false, followedEpoch: null as number | null, addressMoved: false }
  /** The holding of the lock that was seen last, and since when. */
  let held = { epoch: 0, sinceMs: 0 }
  /** When PgBouncer has last followed; null: just now. */
  let pooledAtMs: number | null = null
  let exitCode: ExitCode = EXIT.ok

  async function observe({ consul }: Context, { elapsedMs }: Run): Promise<LeadFacts> {
    // The first look is that of the parts themselves.
    const leadership = memory.followed ? await orUnknown(readLeadership(consul)) : UNKNOWN
    const leader = leadership === UNKNOWN ? null : leadership.leader
    const epoch = leader?.session ? leader.modifyIndex : 0
    if (epoch !== held.epoch) held = { epoch, sinceMs: elapsedMs }
    pooledAtMs ??= elapsedMs
    const heldMs = epoch === 0 ? 0 : elapsedMs - held.sinceMs
    return { leadership, ...memory, heldMs, pooledMs: elapsedMs - pooledAtMs, elapsedMs }
  }

  async function apply(plan: LeadPlan, context: Context): Promise<void> {
    const attempt = async (name: string, work: () => Promise<unknown>): Promise<void> => {
      try {
        await work()
      } catch (error) {
        log(name, { error: explain(error) })
        exitCode = EXIT.failed
      }
    }
    const settle = <Facts extends object, P extends Plan>(
      work: Reconciler<Context, Facts, P>,
      patienceMs = CONSUL_PATIENCE_MS,
    ) => attempt(work.name, () => reconcile(work, context, untilAnswered(patienceMs)))
    if (plan.do === 'move-address') {
      memory.addressMoved = true
      await attempt('services', () => leaveServices(context))
      await settle(virtualIpWeight)
    }
    if (plan.do === 'pool') {
      pooledAtMs = null
      await settle(pooler)
    }
    // Nothing waits for them.
    if (plan.do === 'nothing') await attempt('services', requestServices)
    if (plan.do !== 'follow') return
    // A primary that is published meanwhile may come too late for some of them.
    const before = unknownOnFailure(readLeadership(context.consul))
    // In the order in which clients miss them. The address first: it may send clients away, which PgBouncer lets in again.
    await attempt('services', () => leaveServices(context))
    await settle(virtualIpWeight)
    await settle(pooler)
    await attempt('follow', () => followIfNeeded(context))
    await attempt('virtual-ip-command', () => callIfNeeded(context))
    // Clients wait for the two above; with their patience the run has no time left for more.
    await settle(serviceTag, 0)
    pooledAtMs = null
    const leadership = await before
    memory.followedEpoch = leadership === UNKNOWN ? null : (currentPrimary(leadership)?.index ?? null)
    memory.followed = true
  }

  const next = (plan: LeadPlan): Next => {
    if (plan.do === 'nothing') return { exitCode }
    return { lookAgainMs: plan.do === 'follow' ? 0 : LOOK_AGAIN_MS }
  }

  return { observe, decide: decideLead, apply, next }
}
