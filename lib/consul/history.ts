import { explain } from '../core/errors.ts'
import { log } from '../core/log.ts'
import { byKey } from '../core/order.ts'
import type { Context } from './handler.ts'
import { consulKeys } from './manifest.ts'

/** How many events are kept. */
const KEPT = 200

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

/** Records an event, unless it is the last of its kind from this machine: a retry that fails as before is no news. */
export async function recordNews(context: Context, event: string, message: string): Promise<void> {
  const { consul, settings } = context
  try {
    const own = [...(await consul.list(consulKeys.histories))]
      .filter(([, { value }]) => value.node === settings.node && value.event === event)
      .sort(byKey)
    if (own.at(-1)?.[1].value.message === message) return
  } catch (error) {
    // Consul is silent: a second wait for it would cost a caller with a deadline its answer.
    return log('history', { event, message, error: explain(error) })
  }
  await recordHistory(context, event, message)
}

/** Removes all but the newest events; keys sort by time. */
export async function trimHistory({ consul }: Context): Promise<void> {
  const keys = [...(await consul.list(consulKeys.histories)).keys()].sort()
  for (const key of keys.slice(0, Math.max(0, keys.length - KEPT))) {
    await consul.delete({ ...consulKeys.histories, path: consulKeys.histories.path + key })
  }
}
