import type { Context } from '../consul/handler.ts'
import { readLeadership } from '../consul/observe-leadership.ts'
import { readText } from '../core/atomic-files.ts'
import { orUnknown, UNKNOWN } from '../core/unknown.ts'
import { withDatabase } from '../postgresql/client.ts'
import { isFenced } from '../postgresql/fence-marker.ts'
import { servesUnlocked } from '../postgresql/observe-unlocked.ts'
import { CONSOLE_MS, localConsole, readLinks, readPooler } from './console.ts'
import type { PoolerFacts } from './decide.ts'
import { poolerPaths } from './manifest.ts'

/** Reads the primary from Consul, and where this machine's PgBouncer sends its clients. */
export async function observePooler({ settings, consul }: Context): Promise<PoolerFacts> {
  const { database } = settings
  const [leadership, running] = await Promise.all([
    orUnknown(readLeadership(consul)),
    orUnknown(
      withDatabase(localConsole, CONSOLE_MS, async (console) => {
        const pooler = await readPooler(console, database)
        return pooler && { ...pooler, links: await readLinks(console, database) }
      }),
    ),
  ])
  const file = readText(poolerPaths.databases)
  const unlocked = leadership !== UNKNOWN && (await servesUnlocked(consul, leadership))
  return { database, leadership, servesUnlocked: unlocked, fenced: isFenced(), file, running }
}
