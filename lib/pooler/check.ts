import type { Context } from '../consul/handler.ts'
import { repairedBy } from '../consul/repair.ts'
import { answering } from '../core/answering.ts'
import { isServerError, withDatabase } from '../postgresql/client.ts'
import { nobodyListens } from '../postgresql/database.ts'
import { CONSOLE_MS, localConsole } from './console.ts'
import { poolerUnits } from './manifest.ts'
import { pooler } from './reconciler.ts'

/** Any answer of the console will do. The kernel accepts connections also for a process that is stopped. */
const pgbouncer = answering<Context>(poolerUnits.pgbouncer, () =>
  withDatabase(localConsole, CONSOLE_MS, (console) => console.query('SHOW VERSION')).then(
    () => true,
    (error: unknown) => [error, (error as Error).cause].some(isServerError) || nobodyListens(error),
  ),
)

/** This component's lines of the periodic check. */
export const lines = [repairedBy(pooler, 'lead-changed'), pgbouncer]
