import { UNKNOWN } from '../decide/facts.ts'
import { decideVipWeight, type VipWeightFacts, type VipWeightPlan } from '../decide/vip-weight.ts'
import { kv } from '../kv.ts'
import { paths } from '../paths.ts'
import type { Reconciler } from '../reconciler.ts'
import type { Settings } from '../settings.ts'
import { pgbouncerConsole } from '../world/database.ts'
import { isFenced } from '../world/fence.ts'
import { readText, replaceFile } from '../world/files.ts'
import { holdsAddress } from '../world/interfaces.ts'
import { withDatabase } from '../world/postgres.ts'
import { known, readLeadership } from './observe.ts'

const SEND_AWAY_MS = 500
/** keepalived takes the address away some milliseconds after it was told. */
const LEAVE_MS = 100

/** Keeps keepalived's track file true, which moves the virtual IP without a reload. */
export const vipWeight: Reconciler<VipWeightFacts, VipWeightPlan> = {
  name: 'vip-weight',

  async observe({ settings, consul }) {
    const { node } = settings
    const file = readText(paths.vipWeight)
    // A silent Consul would only cost time.
    if (isFenced()) return { node, policy: null, leadership: null, fenced: true, file }
    const [config, leadership] = await Promise.all([
      known(consul.get(kv.config)),
      known(readLeadership(consul)),
    ])
    const policy = config === UNKNOWN || config === null ? UNKNOWN : config.value.policy
    return { node, policy, leadership, fenced: false, file }
  },

  decide: decideVipWeight,

  async apply({ file, sendAway }, { settings }) {
    if (file === undefined) return
    // A PgBouncer that does not answer must not keep the address here.
    if (sendAway) await giveUp(file, settings).catch(() => {})
    replaceFile(paths.vipWeight, file)
  },
}

/**
 * Writes the weight while PgBouncer closes all connections. A client that it left open would wait for ever: what we answer once
 * the address has gone does not leave this machine. Some come back before it has gone.
 */
async function giveUp(file: string, { database, virtualIp }: Settings): Promise<void> {
  await withDatabase(pgbouncerConsole, SEND_AWAY_MS, async (console) => {
    const close = () => console.query(`KILL ${database}`)
    await close()
    replaceFile(paths.vipWeight, file)
    const deadline = performance.now() + LEAVE_MS
    while (holdsAddress(virtualIp) && performance.now() < deadline) await close()
  })
}
