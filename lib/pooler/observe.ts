import { readBehind } from '../consul/behind.ts'
import type { Context } from '../consul/handler.ts'
import { readLeadership } from '../consul/observe-leadership.ts'
import { readText } from '../core/atomic-files.ts'
import { orUnknown, UNKNOWN } from '../core/unknown.ts'
import { withDatabase } from '../postgresql/client.ts'
import { isFenced } from '../postgresql/fence-marker.ts'
import { servesUnlocked } from '../postgresql/observe-unlocked.ts'
import { CONSOLE_MS, localConsole, readLinks, readPoolers } from './console.ts'
import type { PoolerFacts } from './decide.ts'
import { poolerPaths } from './manifest.ts'

/** Reads the primary from Consul, and where this machine's PgBouncer sends its clients. */
export async function observePooler({ settings, consul }: Context): Promise<PoolerFacts> {
  const [leadership, behind, running] = await Promise.all([
    orUnknown(readLeadership(consul)),
    orUnknown(readBehind(consul, settings.database)),
    orUnknown(
      withDatabase(localConsole, CONSOLE_MS, async (console) => ({
        databases: await readPoolers(console),
        links: await readLinks(console),
      })),
    ),
  ])
  const known = running === UNKNOWN ? [] : Object.keys(running.databases)
  return {
    leadership: behind === UNKNOWN ? UNKNOWN : leadership,
    // Without Consul only a machine that is fenced, or has just booted, does anything.
    behind:
      behind === UNKNOWN
        ? { databases: known.length > 0 ? known : [settings.database], settings: {} }
        : behind,
    servesUnlocked: leadership !== UNKNOWN && (await servesUnlocked(consul, leadership)),
    fenced: isFenced(),
    file: readText(poolerPaths.databases),
    running,
  }
}
