import type { Context } from '../consul/handler.ts'
import { replaceFile } from '../core/atomic-files.ts'
import { EXIT, explain } from '../core/errors.ts'
import { log } from '../core/log.ts'
import type { Next, Step } from '../core/reconciler.ts'
import { applyRabbitmq } from './apply.ts'
import { decideRabbitmq, type RabbitmqFacts, type RabbitmqPlan } from './decide.ts'
import { rabbitmqPaths } from './manifest.ts'
import { observeRabbitmq } from './observe.ts'

const SESSION = 'understudy-rabbitmq'
/** Longer than a run of the handler, so that two machines are never at work at once. A run that died has left its session. */
const SESSION_S = 300
/** From one look to the next, while another machine works or a broker starts. */
const LOOK_AGAIN_MS = 3000
/** How long a run waits: another machine may have to start a broker first. What is left, the next periodic check starts again. */
const PATIENCE_MS = 150_000

/** How a run has ended, for the periodic check. */
export interface BrokerReport {
  do: RabbitmqPlan['do'] | 'failed'
  why: string
}

/** One run that makes this machine's broker a member, step by step. */
export function rabbitmqRun() {
  let session: string | null = null
  let failure: string | null = null

  const observe = (context: Context): Promise<RabbitmqFacts> => observeRabbitmq(context, session)

  async function apply(plan: RabbitmqPlan, context: Context): Promise<void> {
    report(plan)
    if (['nothing', 'wait', 'later'].includes(plan.do)) return
    try {
      session ??= await newSession(context)
      await applyRabbitmq(plan, context, session)
    } catch (error) {
      failure = explain(error)
      log('rabbitmq', { error: failure })
      report({ do: 'failed', why: failure })
      // Another machine may do better meanwhile.
      if (session !== null) await context.consul.destroySession(session).catch(() => {})
    }
  }

  function next({ plan, elapsedMs }: Step<RabbitmqFacts, RabbitmqPlan>): Next {
    if (failure !== null) return { exitCode: EXIT.failed }
    if (['nothing', 'later'].includes(plan.do)) return { exitCode: EXIT.ok }
    if (plan.do !== 'wait') return { lookAgainMs: 0 }
    return elapsedMs < PATIENCE_MS ? { lookAgainMs: LOOK_AGAIN_MS } : { exitCode: EXIT.retry }
  }

  return { observe, decide: decideRabbitmq, apply, next }
}

/** An earlier run is over, however it ended: systemd lets no two run at once. */
async function newSession({ settings, consul }: Context): Promise<string> {
  const left = (await consul.sessions(settings.node)).filter(({ name }) => name === SESSION)
  for (const { id } of left) await consul.destroySession(id)
  return consul.createSession({
    name: SESSION,
    nodeChecks: ['serfHealth'],
    serviceChecks: [],
    ttlSeconds: SESSION_S,
  })
}

/** Where it cannot be written, the periodic check sees the older one. */
function report({ do: what, why }: BrokerReport): void {
  try {
    replaceFile(rabbitmqPaths.report, `${JSON.stringify({ do: what, why })}\n`)
  } catch (error) {
    log('rabbitmq', { error: explain(error) })
  }
}
