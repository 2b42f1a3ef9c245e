import type { Context } from '../consul/handler.ts'
import { replaceFile } from '../core/atomic-files.ts'
import { holdsAddress } from '../core/interfaces.ts'
import type { Settings } from '../core/settings.ts'
import { quoteIdentifier } from '../pooler/config.ts'
import { localConsole, readPoolers } from '../pooler/console.ts'
import { withDatabase } from '../postgresql/client.ts'
import type { VirtualIpWeightPlan } from './decide-weight.ts'
import { virtualIpPaths } from './manifest.ts'

/** How long PgBouncer may take to close connections: one that hangs must not keep the address here. */
const CLOSE_MS = 500
/** How long connections are closed after the weight was written: keepalived removes the address some milliseconds later. */
const LEAVE_MS = 100

/** Writes keepalived's track file. keepalived rereads it at once, without a reload. */
export async function applyVirtualIpWeight(
  { file, closeConnections }: VirtualIpWeightPlan,
  { settings }: Context,
): Promise<void> {
  if (file === undefined) return
  // The address must leave even if PgBouncer does not answer.
  if (closeConnections) await giveUpAddress(file, settings).catch(() => {})
  replaceFile(virtualIpPaths.weight, file)
}

/**
 * Writes the weight while PgBouncer closes the connections of its clients. A client whose connection stays open would wait for
 * ever: once the address has gone, no answer leaves this machine. Clients that reconnect too early are closed again.
 */
async function giveUpAddress(file: string, { virtualIp }: Settings): Promise<void> {
  await withDatabase(localConsole, CLOSE_MS, async (console) => {
    const names = Object.keys(await readPoolers(console)).map(quoteIdentifier)
    const close = async () => {
      for (const name of names) await console.query(`KILL ${name}`)
    }
    await close()
    replaceFile(virtualIpPaths.weight, file)
    const deadline = performance.now() + LEAVE_MS
    while (holdsAddress(virtualIp) && performance.now() < deadline) await close()
  })
}
