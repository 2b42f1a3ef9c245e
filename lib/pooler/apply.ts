import type { Context } from '../consul/handler.ts'
import { replaceFile } from '../core/atomic-files.ts'
import { withDatabase } from '../postgresql/client.ts'
import { CONSOLE_MS, localConsole } from './console.ts'
import type { PoolerPlan } from './decide.ts'
import { poolerPaths } from './manifest.ts'

/** How long to wait for PAUSE: it answers when every client has left, and holds new ones back from its start. */
const PAUSE_MS = 300

/** Writes the included file, then sends the commands to the running PgBouncer. */
export async function applyPooler(plan: PoolerPlan, _context: Context): Promise<void> {
  if (plan.file !== undefined) replaceFile(poolerPaths.databases, plan.file)
  // PAUSE names a database: SHOW DATABASES does not show a pause of all. It keeps its connection busy, so each has one of its own.
  const pauses = plan.console.filter((command) => command.startsWith('PAUSE '))
  const others = plan.console.filter((command) => !command.startsWith('PAUSE '))
  if (others.length > 0)
    await withDatabase(localConsole, CONSOLE_MS, async (console) => {
      for (const command of others) {
        const done = console.query(command)
        // The client may have gone meanwhile.
        await (command.startsWith('KILL_CLIENT ') ? done.catch(() => {}) : done)
      }
    })
  await Promise.all(
    pauses.map((command) =>
      withDatabase(localConsole, CONSOLE_MS, (console) => within(PAUSE_MS, console.query(command))),
    ),
  )
}

/** Waits for a promise at most this long. A later result or failure is ignored. */
async function within(timeoutMs: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const deadline = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs)
  })
  await Promise.race([work.catch(() => {}), deadline])
  clearTimeout(timer)
}
