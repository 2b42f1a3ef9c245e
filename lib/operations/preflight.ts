import type { ClusterFacts, FirstOptions, MachineFacts, Placement } from '../consul/joining.ts'
import { EXIT, UnderstudyError, usageError } from '../core/errors.ts'
import { type Cidr, networkOf, parseCidr, sameNetwork } from '../core/network.ts'

const NODE_NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/

const refuse = (message: string): UnderstudyError => new UnderstudyError(EXIT.config, message)

/** What every machine must have. @throws one sentence for the first thing that is not right. */
export function checkMachine(facts: MachineFacts, buildTimeMs: number): void {
  if (!facts.root) throw refuse('joining needs root; run it as root or with sudo')
  if (facts.missing.length > 0)
    throw refuse(
      `these packages are missing: ${facts.missing.join(', ')}; install them first (apt install ${facts.missing.join(' ')})`,
    )
  if (!NODE_NAME.test(facts.node)) {
    throw refuse(
      `the host name "${facts.node}" is not valid as the name of a member; give this machine one of lower-case letters, digits and - (hostnamectl set-hostname)`,
    )
  }
  if (facts.nowMs < buildTimeMs) {
    throw refuse(
      `the clock says ${new Date(facts.nowMs).toISOString()}, which is before this version of understudy was built; correct it first (timedatectl)`,
    )
  }
}

/** Finds the interface in the virtual IP's network, or checks the one that was named. @throws one sentence. */
export function placeMachine(facts: MachineFacts, virtualIp: string, named: string | undefined): Placement {
  const cidr = parseCidr(virtualIp) as Cidr
  const names = [...new Set(facts.devices.map(({ name }) => name))].join(', ') || 'none'
  if (named !== undefined && !facts.devices.some(({ name }) => name === named)) {
    throw usageError(`there is no interface ${named} with an IPv4 address; this machine has ${names}`)
  }
  const device = facts.devices.find(
    ({ name, address }) =>
      (named === undefined || name === named) && address !== cidr.address && sameNetwork(cidr, address),
  )
  if (!device)
    throw usageError(
      `no address of ${named ?? 'this machine'} is in the network of the virtual IP ${virtualIp} (interfaces with an IPv4 address: ${names}); give it one there, or choose another virtual IP`,
    )
  return {
    interface: device.name,
    address: device.address,
    network: networkOf(device),
    prefix: device.prefix,
  }
}

/** A member cannot found a second cluster. @throws one sentence. */
export function checkFirst({ settings }: MachineFacts, { virtualIp }: FirstOptions): void {
  if (settings === null || settings.virtualIp === virtualIp) return
  throw usageError(
    `this machine is already a member of the cluster with the virtual IP ${settings.virtualIp}; join it again with that address`,
  )
}

/** The addresses a member is given must be those of its own cluster: two clusters that gossip would become one. */
export function checkAddresses(cluster: Pick<ClusterFacts, 'seats'>, addresses: readonly string[]): void {
  const members = Object.values(cluster.seats.seats).map(({ address }) => address)
  const stranger = addresses.find((address) => !members.includes(address))
  if (stranger === undefined) return
  throw usageError(
    `this machine is already a member of the cluster of ${members.join(', ')}, and ${stranger} is not; give the address of one of them`,
  )
}
