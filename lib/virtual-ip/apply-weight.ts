import type { Context } from '../consul/handler.ts'
import { replaceFile } from '../core/atomic-files.ts'
import { holdsAddress } from '../core/interfaces.ts'
import type { Settings } from '../core/settings.ts'
import { localConsole } from '../pooler/console.ts'
import { withDatabase } from '../postgresql/client.ts'
import type { VirtualIpWeightPlan } from './decide-weight.ts'
import { virtualIpPaths } from './manifest.ts'

const SEND_AWAY_MS = 500
/** keepalived takes the address away some milliseconds after it was told. */
const LEAVE_MS = 100

/** Writes keepalived's track file, which moves the virtual IP without a reload. */
export async function applyVirtualIpWeight(
  { file, sendAway }: VirtualIpWeightPlan,
  { settings }: Context,
): Promise<void> {
  if (file === undefined) return
  // A PgBouncer that does not answer must not keep the address here.
  if (sendAway) await giveUp(file, settings).catch(() => {})
  replaceFile(virtualIpPaths.weight, file)
}

/**
 * Writes the weight while PgBouncer closes all connections. A client that it left open would wait for ever: what we answer once
 * the address has gone does not leave this machine. Some come back before it has gone.
 */
async function giveUp(file: string, { database, virtualIp }: Settings): Promise<void> {
  await withDatabase(localConsole, SEND_AWAY_MS, async (console) => {
    const close = () => console.query(`KILL ${database}`)
    await close()
    replaceFile(virtualIpPaths.weight, file)
    const deadline = performance.now() + LEAVE_MS
    while (holdsAddress(virtualIp) && performance.now() < deadline) await close()
  })
}
