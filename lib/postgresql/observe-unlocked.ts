import type { Consul } from '../consul/client.ts'
import { type Leadership, unlockedPrimary } from '../consul/leadership.ts'
import { orUnknown, UNKNOWN } from '../core/unknown.ts'
import { NO_PASSWORD, probe, remoteDatabase } from './database.ts'
import { postgresqlKeys } from './manifest.ts'

/**
 * How long the primary may take to answer. If it is gone, clients are held back this much later, which is still before another machine
 * can become the primary.
 */
const ANSWER_MS = 300

/**
 * Does the published primary serve although its lock is free? Its commits wait for standbys, and its database answers. This user need not
 * have a password for it: a server that asks for one accepts connections.
 */
export async function servesUnlocked(consul: Consul, leadership: Leadership): Promise<boolean> {
  const primary = unlockedPrimary(leadership)
  if (primary === null) return false
  const sync = await orUnknown(consul.get(postgresqlKeys.sync))
  if (sync === UNKNOWN || sync?.value.node !== primary.node || !sync.value.waits) return false
  const answer = await probe(remoteDatabase(primary.address, primary.port), ANSWER_MS)
  if (answer === UNKNOWN) return false
  return answer.role === 'primary' || (answer.role === 'alive' && answer.sqlstate === NO_PASSWORD)
}
