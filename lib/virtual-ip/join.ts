import { howToApply } from '../consul/how-to-apply.ts'
import { clusterOf, type Joining, type Part, settingsOf } from '../consul/joining.ts'
import { replaceFile } from '../core/atomic-files.ts'
import { EXIT, UnderstudyError } from '../core/errors.ts'
import { tryRun } from '../core/exec.ts'
import { missingPackages, refuseMissing } from '../core/packages.ts'
import { ensureRunning } from '../core/systemd.ts'
import { addressOn, renderKeepalived } from './config.ts'
import { virtualIp, virtualIpKeys, virtualIpPaths, virtualIpUnits } from './manifest.ts'

/** arping itself ends after 2 s. */
const ARPING_MS = 5000

const setUp = { phase: 'daemons', title: 'set up keepalived', run: setUpKeepalived } as const

/** keepalived's part of a join. */
export const part: Part = {
  async look(joining) {
    refuseMissing(missingPackages(virtualIp.package.recommends ?? []))
    await checkAddressIsFree(joining)
  },
  steps: [setUp],
  upgrade: [setUp],
  async publish(joining) {
    const { node, vipPriority: priority } = settingsOf(joining)
    if (await joining.consul.get(virtualIpKeys.node(node))) return
    const since = new Date().toISOString()
    await joining.consul.set(virtualIpKeys.node(node), { schema: 1, priority, state: 'BACKUP', since })
  },
  leave: [],
}

async function setUpKeepalived(joining: Joining): Promise<void> {
  const { node, interface: device, vipPriority: priority } = settingsOf(joining)
  const { config } = clusterOf(joining)
  const address = addressOn(device, config.virtualIp ?? '', joining.machine.devices)
  const text = renderKeepalived({
    node,
    interface: device,
    virtualIp: address,
    routerId: config.routerId,
    priority,
  })
  replaceFile(virtualIpPaths.config, text)
  await ensureRunning(virtualIpUnits.keepalived, [virtualIpPaths.config], await howToApply(joining))
}

/** A new cluster's virtual IP must be free. @throws one sentence where another machine has it. */
async function checkAddressIsFree({ options, machine, placement }: Joining): Promise<void> {
  if (options.as !== 'first' || machine.settings) return
  const [address = ''] = options.virtualIp?.split('/') ?? []
  if (await answersToArp(placement.interface, address)) {
    throw new UnderstudyError(
      EXIT.config,
      `something else answers to the virtual IP ${address} on ${placement.interface}; choose a free address`,
    )
  }
}

/** Does anybody answer to this address? Asks twice, as duplicate address detection does (arping(8), -D). */
async function answersToArp(device: string, address: string): Promise<boolean> {
  const { exitCode } = await tryRun('arping', ['-D', '-q', '-c', '2', '-w', '2', '-I', device, address], {
    timeoutMs: ARPING_MS,
  })
  return exitCode === 1
}
