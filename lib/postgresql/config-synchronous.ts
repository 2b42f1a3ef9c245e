import { type CommitRule, NO_WAIT } from './decide-durability.ts'

/** synchronous_standby_names, see https://www.postgresql.org/docs/current/runtime-config-replication.html. */
export function renderSynchronous({ standbys, count }: CommitRule): string {
  if (count === 0) return ''
  return `ANY ${count} (${standbys.map((name) => `"${name}"`).join(', ')})`
}

/** Reads back what {@link renderSynchronous} wrote. Any other text counts as no rule. */
export function parseSynchronous(text: string): CommitRule {
  const [, count, names] = /^ANY (\d+) \((.+)\)$/.exec(text.trim()) ?? []
  if (count === undefined || names === undefined) return NO_WAIT
  return { count: Number(count), standbys: names.split(',').map((name) => name.trim().replace(/^"|"$/g, '')) }
}
