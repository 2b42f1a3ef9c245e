import type { Consul } from '../consul/client.ts'
import { decideCollect } from './decide-collect.ts'
import { taskKeys } from './manifest.ts'

/** Consul takes 64 operations in one transaction: two for each outcome. */
const IN_ONE_TRANSACTION = 32
/** The check has to end in time: the rest waits for the next run. */
const IN_ONE_RUN = 50 * IN_ONE_TRANSACTION

/** Removes outcomes that are old or too many. @returns whether none is left to be removed. */
export async function collectOutcomes(consul: Consul): Promise<boolean> {
  const entries = await consul.entries(taskKeys.outcomes)
  const forgotten = decideCollect(entries, Date.now())
  for (let at = 0; at < Math.min(forgotten.length, IN_ONE_RUN); at += IN_ONE_TRANSACTION) {
    // Only as it was seen: the task may have been forgotten by another machine, and be running anew.
    const operations = forgotten.slice(at, at + IN_ONE_TRANSACTION).flatMap((name) => {
      const key = taskKeys.outcomes.path + name
      const index = entries.get(name)?.modifyIndex ?? 0
      return [{ verb: 'check-index', key, index } as const, { verb: 'delete', key } as const]
    })
    await consul.transaction(operations)
  }
  return forgotten.length <= IN_ONE_RUN
}
