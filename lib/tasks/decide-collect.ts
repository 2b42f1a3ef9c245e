import type { Entry } from '../consul/entry.ts'
import type { TaskRecord } from './manifest.ts'

/** How long the outcome of a task is kept: longer than a month's tasks are submitted again. */
export const KEEP_MS = 30 * 24 * 3600 * 1000
/** So many outcomes are kept: Consul holds all of its data in memory. */
export const KEEP_KEYS = 100_000

/**
 * Whose outcomes are forgotten: done or failed, and old or too many, the oldest first. A task that is started or unknown is never
 * forgotten, as it would run again.
 * @param entries by NAME/DIGEST.
 */
export function decideCollect(entries: ReadonlyMap<string, Entry<TaskRecord>>, nowMs: number): string[] {
  const ended = [...entries]
    .flatMap(([name, { value }]) =>
      value.state === 'started' ? [] : [{ name, atMs: Date.parse(value.ended ?? value.since) }],
    )
    .sort((one, other) => one.atMs - other.atMs)
  const surplus = Math.max(0, entries.size - KEEP_KEYS)
  return ended.filter(({ atMs }, index) => index < surplus || nowMs - atMs > KEEP_MS).map(({ name }) => name)
}
