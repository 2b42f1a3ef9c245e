import { type CommitRule, cannotBeMet, HOLD, NO_WAIT } from './decide-durability.ts'

/** Stands in the place of a standby and tells a person why: no machine may have such a name. */
const NOBODY_NAMED = 'understudy: this is being changed'

/** synchronous_standby_names, see https://www.postgresql.org/docs/current/runtime-config-replication.html. */
export function renderSynchronous({ standbys, count }: CommitRule): string {
  if (count === 0) return ''
  if (cannotBeMet({ standbys, count })) return `ANY 1 ("${NOBODY_NAMED}")`
  return `ANY ${count} (${standbys.map((name) => `"${name}"`).join(', ')})`
}

/** Reads back what {@link renderSynchronous} wrote. Any other text counts as no rule. */
export function parseSynchronous(text: string): CommitRule {
  const [, count, names] = /^ANY (\d+) \((.+)\)$/.exec(text.trim()) ?? []
  if (count === undefined || names === undefined) return NO_WAIT
  const standbys = names.split(',').map((name) => name.trim().replace(/^"|"$/g, ''))
  return standbys.includes(NOBODY_NAMED) ? HOLD : { count: Number(count), standbys }
}
