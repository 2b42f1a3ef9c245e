import { decidePgbouncer, type PgbouncerFacts, type PgbouncerPlan } from '../decide/pgbouncer.ts'
import { paths } from '../paths.ts'
import type { Reconciler } from '../reconciler.ts'
import { pgbouncerConsole } from '../world/database.ts'
import { isFenced } from '../world/fence.ts'
import { readText, replaceFile } from '../world/files.ts'
import { readPooler } from '../world/pooler.ts'
import { withDatabase } from '../world/postgres.ts'
import { known, readLeadership } from './observe.ts'

const CONSOLE_MS = 2000
/** PAUSE answers only when every client has let go; new ones are held back from the moment it is asked. */
const PAUSE_MS = 300

/** Keeps this machine's PgBouncer on the holder of the lock. */
export const pgbouncer: Reconciler<PgbouncerFacts, PgbouncerPlan> = {
  name: 'pgbouncer',

  async observe({ settings, consul }) {
    const [leadership, running] = await Promise.all([
      known(readLeadership(consul)),
      known(withDatabase(pgbouncerConsole, CONSOLE_MS, (console) => readPooler(console, settings.database))),
    ])
    const file = readText(paths.pgbouncerDatabases)
    return { database: settings.database, leadership, fenced: isFenced(), file, running }
  },

  decide: decidePgbouncer,

  async apply(plan, { settings }) {
    if (plan.file !== undefined) replaceFile(paths.pgbouncerDatabases, plan.file)
    if (plan.console.length === 0) return
    await withDatabase(pgbouncerConsole, CONSOLE_MS, async (console) => {
      for (const command of plan.console) {
        // Of the one database: SHOW DATABASES tells of that, but not of a pause of everything.
        if (command === 'PAUSE') await within(PAUSE_MS, console.query(`PAUSE ${settings.database}`))
        else await console.query(command === 'RESUME' ? `RESUME ${settings.database}` : command)
      }
    })
  },
}

/** Waits for a promise at most this long; what becomes of it later does not matter. */
async function within(timeoutMs: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const deadline = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs)
  })
  await Promise.race([work.catch(() => {}), deadline])
  clearTimeout(timer)
}
