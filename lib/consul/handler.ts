import * as frame from '../core/handler.ts'
import { type Next, type Plan, type Step, untilAnswered } from '../core/reconciler.ts'
import type { Settings } from '../core/settings.ts'
import type { Consul } from './client.ts'

/** What every handler of a member has at hand. */
export interface Context {
  settings: Settings
  consul: Consul
}

/** A handler whose context is this member's. */
export type MemberHandler<Event, Facts extends object, P extends Plan> = Omit<
  frame.Handler<Event, Context, Facts, P>,
  'context'
>

/** Runs a handler of a member as a process, see {@link frame.main}. */
export const main = <Event, Facts extends object, P extends Plan>(
  handler: MemberHandler<Event, Facts, P>,
): void => frame.main({ ...handler, context: openContext })

/** Loaded late: a wrong argument does not need the client. */
async function openContext(settings: Settings): Promise<Context> {
  const { Consul } = await import('./client.ts')
  return { settings, consul: new Consul({ prefix: settings.kvPrefix }) }
}

/** How long an event that finds Consul silent waits for it: an election of Consul's leader takes some seconds. */
export const CONSUL_PATIENCE_MS = 6000

/** What follows a step of a handler that an event has called. */
export const untilConsulAnswers: (step: Step<object, Plan>) => Next = untilAnswered(CONSUL_PATIENCE_MS)
