import { type CommitRule, NO_WAIT } from './decide-durability.ts'

/** synchronous_standby_names, see https://www.postgresql.org/docs/current/runtime-config-replication.html. */
export function renderSynchronous({ standbys, count }: CommitRule): string {
  if (count === 0) return ''
  return `ANY ${count} (${standbys.map((name) => `"${name}"`).join(', ')})`
}

/** What {@link renderSynchronous} wrote. Anything else is no rule of ours and counts as none. */
export function parseSynchronous(text: string): CommitRule {
  const [, count, names] = /^ANY (\d+) \((.+)\)$/.exec(text.trim()) ?? []
  if (count === undefined || names === undefined) return NO_WAIT
  return { count: Number(count), standbys: names.split(',').map((name) => name.trim().replace(/^"|"$/g, '')) }
}
