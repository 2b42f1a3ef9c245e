import { components } from '../components.ts'
import type { Context } from '../consul/handler.ts'
import { recordHistory } from '../consul/history.ts'
import { readCluster } from '../consul/join-cluster.ts'
import { type Joining, markConfigured } from '../consul/joining.ts'
import { wantedBy } from '../core/component.ts'
import { explain } from '../core/errors.ts'
import { forgetFailure, recordFailure } from '../core/failure.ts'
import { paths } from '../core/paths.ts'
import { settleUnits } from '../core/systemd.ts'
import { version } from '../core/version.ts'
import type { UpgradePlan } from './decide-upgrade.ts'
import { joinParts, upgradeSteps } from './join-parts.ts'
import { readMachine } from './machine.ts'

/** Configures this member by those steps of a join that render something. A failure is counted. */
export async function applyUpgrade(plan: UpgradePlan, context: Context): Promise<void> {
  if (plan.do === 'nothing') return
  try {
    const joining = await asJoined(context)
    for (const { run } of upgradeSteps(joining.parts)) await run(joining, () => {})
    await settleUnits()
    markConfigured()
    forgetFailure(paths.upgradeFailed)
  } catch (error) {
    recordFailure(paths.upgradeFailed, explain(error), Date.now())
    throw error
  }
  await recordHistory(context, 'upgraded', `this machine is now configured by understudy ${version}`)
}

/** This member as a join sees it that has looked at the machine. */
async function asJoined({ settings, consul }: Context): Promise<Joining> {
  const { interface: device, address, network, postgresqlVersion, postgresqlPort } = settings
  const cluster = await readCluster(consul)
  // The cluster may have got a part that this machine does not know of.
  const wanted = wantedBy(cluster?.config ?? settings, components)
  return {
    version,
    options: { as: 'joiner', consulJoin: [], interface: device, mergeFiles: false },
    machine: readMachine(wanted),
    placement: { interface: device, address, network },
    consul,
    // Whom Consul looks for at its start.
    cluster,
    realm: null,
    seat: null,
    postgresql: { version: postgresqlVersion, port: postgresqlPort, parameters: new Map() },
    components: wanted,
    parts: await joinParts(wanted),
  }
}
