import { sqlLiteral } from './client.ts'
import { renderSynchronous } from './config-synchronous.ts'
import type { ConfirmedFacts } from './decide-confirmed.ts'
import type { Stream } from './decide-streams.ts'
import type { Confirmed } from './manifest.ts'

/** With these `quick-check` goes on recording how far commits are confirmed, while nothing else changes. */
export interface Recorder {
  /** Gives the document in base64; null where no position is known; no row where too few standbys stream or the rule is another one. */
  statement: string
  /** What Consul is sent, with VALUE for the document. */
  transaction: string
}

interface Counted extends Pick<ConfirmedFacts, 'node' | 'timeline' | 'commit'> {
  streams: readonly Pick<Stream, 'name' | 'pid' | 'started'>[]
}

/** Stands for the position. */
const NOWHERE = '0/0'

/**
 * The same position as by `decideConfirmed`, for these streams and this rule only: another process of the same id and another rule give no
 * row. It is asked as a member of pg_monitor.
 */
export function positionStatement({ node, timeline, commit, streams }: Counted): string {
  const document: Confirmed = { schema: 1, node, timeline, lsn: NOWHERE, standbys: commit.count }
  const [before = '', after = ''] = JSON.stringify(document).split(NOWHERE)
  const text = `${sqlLiteral(before)} || lsn || ${sqlLiteral(after)}`
  // encode() breaks its lines as MIME does.
  const value = `translate(encode(convert_to(${text}, 'UTF8'), 'base64'), E'\\n', '')`
  const rule = sqlLiteral(renderSynchronous(commit))
  return `select ${value} from (${confirmedLsn(commit, streams)}) as confirmed
    where current_setting('synchronous_standby_names') = ${rule}`
}

function confirmedLsn({ count, standbys }: Counted['commit'], streams: Counted['streams']): string {
  if (count === 0) return 'select checkpoint_lsn as lsn from pg_control_checkpoint()'
  const counted = streams
    .filter(({ name }) => standbys.includes(name))
    .map(({ pid, started }) => `(${pid}, ${sqlLiteral(started)})`)
  return `select replay_lsn as lsn from pg_stat_get_wal_senders() as sender, pg_stat_get_activity(sender.pid) as activity
    where (sender.pid, extract(epoch from backend_start)::text) in (${counted.join(', ')})
    order by 1 desc nulls last offset ${count - 1} limit 1`
}
