import { explain } from '../core/errors.ts'
import { log } from '../core/log.ts'
import { byKey } from '../core/order.ts'
import type { Context } from './handler.ts'
import { consulKeys } from './manifest.ts'

/** How many events stay; the older ones are removed. */
const HISTORY_EVENTS = 200

/** Writes an event into the cluster's history. History is for people: where it cannot be written, the work goes on. */
export async function recordHistory(
  { settings, consul }: Context,
  event: string,
  message: string,
  details?: Record<string, unknown>,
): Promise<void> {
  const at = new Date().toISOString()
  const { node } = settings
  try {
    await consul.set(consulKeys.history(at, node, event), {
      schema: 1,
      at,
      node,
      event,
      message,
      ...(details ? { details } : {}),
    })
  } catch (error) {
    log('history', { event, message, error: explain(error) })
  }
}

/** Records an event, unless it repeats the last one of its kind from this machine, as a retry that fails again does. */
export async function recordNews(context: Context, event: string, message: string): Promise<void> {
  const { consul, settings } = context
  try {
    const own = [...(await consul.list(consulKeys.histories)).valid]
      .filter(([, entry]) => entry.node === settings.node && entry.event === event)
      .sort(byKey)
    if (own.at(-1)?.[1].message === message) return
  } catch (error) {
    // Consul is silent: a second wait for it would cost a caller with a deadline its answer.
    return log('history', { event, message, error: explain(error) })
  }
  await recordHistory(context, event, message)
}

/** Removes all but the newest events, whatever they hold: the names of their keys begin with the time. */
export async function trimHistory({ consul }: Context): Promise<void> {
  const events = (await consul.names(consulKeys.histories))
    .filter((name) => /^\d{4}-\d\d-\d\dT/.test(name))
    .sort()
  for (const name of events.slice(0, Math.max(0, events.length - HISTORY_EVENTS))) {
    await consul.delete({ ...consulKeys.histories, path: consulKeys.histories.path + name })
  }
}
