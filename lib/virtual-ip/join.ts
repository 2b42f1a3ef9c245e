import { setTimeout as pause } from 'node:timers/promises'
import type { Consul } from '../consul/client.ts'
import { peersOf } from '../consul/decide-peers.ts'
import { howToApply } from '../consul/how-to-apply.ts'
import { clusterOf, type Joining, type Part, settingsOf } from '../consul/joining.ts'
import { consulKeys } from '../consul/manifest.ts'
import { replaceFile } from '../core/atomic-files.ts'
import { EXIT, UnderstudyError } from '../core/errors.ts'
import { tryRun } from '../core/exec.ts'
import { missingPackages, refuseMissing } from '../core/packages.ts'
import { checkReplaced } from '../core/replaced-files.ts'
import { ensureRunning } from '../core/systemd.ts'
import { waitFor } from '../core/wait.ts'
import { keepalivedOf, renderKeepalived } from './config.ts'
import { virtualIp, virtualIpKeys, virtualIpPaths, virtualIpUnits } from './manifest.ts'

/** arping itself ends after 1 s. */
const ARPING_MS = 5000
/** From the first question to the second: one alone may be lost. */
const ASK_AGAIN_MS = 300
/** A member is told of a new one within a second, or by its next periodic check, which comes every 15 s. */
const PEERS_MS = 30_000

const setUp = { phase: 'daemons', title: 'set up keepalived', run: setUpKeepalived } as const

/** keepalived's part of a join. */
export const part: Part = {
  async look(joining) {
    refuseMissing(missingPackages(virtualIp.package.recommends ?? []))
    if (joining.machine.settings === null)
      await checkReplaced('keepalived', [{ path: virtualIpPaths.config }])
  },
  ask: checkAddressIsFree,
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
  const { consul, machine } = joining
  const { config } = clusterOf(joining)
  const settings = settingsOf(joining)
  const seats = (await consul.get(consulKeys.seats))?.value ?? { schema: 1, seats: {} }
  const others = peersOf(settings.node, seats).map(({ node }) => node)
  replaceFile(virtualIpPaths.config, renderKeepalived(keepalivedOf(settings, config, seats, machine.devices)))
  const publish = () => consul.set(virtualIpKeys.peers(settings.node), { schema: 1, peers: others })
  const how = await howToApply(joining)
  if (how === 'restart') {
    // Before it waits: another one that joins waits for this machine.
    await publish()
    // With the policy fixed, a machine that hears nobody would take the address.
    if (config.vrrp === 'unicast' && config.policy === 'fixed')
      await untilHeard(consul, settings.node, others)
  }
  await ensureRunning(virtualIpUnits.keepalived, [virtualIpPaths.config], how)
  if (how === 'reload') await publish()
}

/** Waits until the keepalived of every other member that is up sends its adverts to this machine, too. */
async function untilHeard(consul: Consul, node: string, others: readonly string[]): Promise<void> {
  await waitFor(`the keepalived of the other members to know ${node}`, PEERS_MS, async () => {
    const alive = (await consul.members()).filter((member) => member.alive).map(({ name }) => name)
    for (const other of others.filter((name) => alive.includes(name))) {
      // One without that document is joining as well: its keepalived does not run yet, and will know this machine.
      const found = (await consul.get(virtualIpKeys.peers(other)))?.value.peers
      if (found && !found.includes(node)) throw new Error(`${other} does not yet`)
    }
    return true
  })
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

/**
 * Does anybody answer to this address? Asks twice, as one packet may be lost, and waits a second for each answer. The kernel answers,
 * so within a network this takes milliseconds.
 */
async function answersToArp(device: string, address: string): Promise<boolean> {
  const asked = [0, ASK_AGAIN_MS].map(async (afterMs) => {
    await pause(afterMs)
    return isTaken(device, address)
  })
  return (await Promise.all(asked)).includes(true)
}

/** Asks once, as duplicate address detection does (arping(8), -D). @throws where it could not ask. */
async function isTaken(device: string, address: string): Promise<boolean> {
  const argv = ['-D', '-c', '1', '-w', '1', '-I', device, address]
  const { exitCode, stdout, stderr } = await tryRun('arping', argv, { timeoutMs: ARPING_MS })
  if (exitCode === 0 || exitCode === 1) return exitCode === 1
  // It says on stdout that a device is down, and all else on stderr.
  const said = stderr.trim() || stdout.trim() || `arping ended with ${exitCode}`
  throw new UnderstudyError(
    EXIT.config,
    `cannot ask on ${device} whether the virtual IP ${address} is free: ${said}`,
  )
}
