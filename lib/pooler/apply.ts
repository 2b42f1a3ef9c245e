import type { Context } from '../consul/handler.ts'
import { replaceFile } from '../core/atomic-files.ts'
import { withDatabase } from '../postgresql/client.ts'
import { CONSOLE_MS, localConsole } from './console.ts'
import type { PoolerPlan } from './decide.ts'
import { poolerPaths } from './manifest.ts'

/** How long to wait for PAUSE: it answers when every client has left, and holds new ones back from its start. */
const PAUSE_MS = 300

/** Writes the included file, then sends the commands to the running PgBouncer. */
export async function applyPooler(plan: PoolerPlan, { settings }: Context): Promise<void> {
  if (plan.file !== undefined) replaceFile(poolerPaths.databases, plan.file)
  if (plan.console.length === 0) return
  await withDatabase(localConsole, CONSOLE_MS, async (console) => {
    for (const command of plan.console) {
      // PAUSE names the database: SHOW DATABASES does not show a pause of all databases.
      if (command === 'PAUSE') await within(PAUSE_MS, console.query(`PAUSE ${settings.database}`))
      // The client may have gone meanwhile.
      else if (command.startsWith('KILL_CLIENT')) await console.query(command).catch(() => {})
      else await console.query(command === 'RELOAD' ? command : `${command} ${settings.database}`)
    }
  })
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
