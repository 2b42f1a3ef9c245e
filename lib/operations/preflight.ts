import type { ClusterFacts, FirstOptions, MachineFacts, Placement } from '../consul/joining.ts'
import { EXIT, UnderstudyError, usageError } from '../core/errors.ts'
import type { Device } from '../core/interfaces.ts'
import { type Cidr, parseCidr, sameNetwork, widerNetwork } from '../core/network.ts'
import { refuseMissing } from '../core/packages.ts'
import { needsRoot } from '../core/root.ts'

const NODE_NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/

const refuse = (message: string): UnderstudyError => new UnderstudyError(EXIT.config, message)

/** What every machine must have. @throws one sentence for the first thing that is not right. */
export function checkMachine(facts: MachineFacts, buildTimeMs: number): void {
  if (!facts.root) throw needsRoot()
  refuseMissing(facts.missing)
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

/** What says where the members of a cluster are. */
export interface Networks {
  /** ADDRESS/PREFIX; null where there is none. */
  virtualIp: string | null
  /** The members' network, where it is not that of the virtual IP. */
  network?: string | undefined
}

/**
 * Finds this machine's address in the members' network, and the interface for the virtual IP, or checks the one that was named.
 * @param source the address from which this machine reaches the other members; null where it is not known.
 * @throws one sentence.
 */
export function placeMachine(
  facts: Pick<MachineFacts, 'devices' | 'settings'>,
  { virtualIp, network }: Networks,
  named: string | undefined,
  source: string | null,
): Placement {
  const { devices, settings } = facts
  const names = [...new Set(devices.map(({ name }) => name))].join(', ') || 'none'
  if (named !== undefined && !devices.some(({ name }) => name === named)) {
    throw usageError(`there is no interface ${named} with an IPv4 address; this machine has ${names}`)
  }
  const address = virtualIp === null ? null : (parseCidr(virtualIp) as Cidr)
  // Where both are given, the name is that of the interface for the virtual IP.
  const sameInterface = virtualIp === null || network === undefined
  const where = membersNetwork(facts, { virtualIp, network }, named)
  const candidates = devices.filter(
    (device) =>
      (named === undefined || !sameInterface || device.name === named) &&
      device.address !== address?.address &&
      sameNetwork(where, device.address),
  )
  // A member keeps its address; a new one takes the one that the others will see.
  const member =
    candidates.find((device) => device.address === settings?.address) ??
    candidates.find((device) => device.address === source) ??
    candidates[0]
  if (!member)
    throw usageError(
      network === undefined
        ? `no address of ${named ?? 'this machine'} is in the network of the virtual IP ${virtualIp} (interfaces with an IPv4 address: ${names}); give it one there, or choose another virtual IP`
        : `no address of this machine is in the members' network ${network} (interfaces with an IPv4 address: ${names}); give it one there`,
    )
  if (settings === null && source !== null && source !== address?.address && source !== member.address)
    throw refuse(
      `this machine would reach the other members from ${source}, but they would know it by ${member.address}; give the route to them that source address (ip route ... src ${member.address})`,
    )
  return {
    interface: sameInterface ? member.name : (named ?? carrierOf(address as Cidr, devices, member, where)),
    address: member.address,
    network: widerNetwork(member, where),
  }
}

/** The network that all members are in: of the settings of the cluster, or of this machine, which founds one without a virtual IP. */
function membersNetwork(
  { devices, settings }: Pick<MachineFacts, 'devices' | 'settings'>,
  { virtualIp, network }: Networks,
  named: string | undefined,
): Cidr {
  const given = network ?? virtualIp ?? settings?.network ?? null
  if (given !== null) return parseCidr(given) as Cidr
  const own = devices.filter(({ name }) => named === undefined || name === named)
  const [only, ...more] = own
  if (only && only.prefix < 31 && more.every((device) => sameNetwork(only, device.address))) return only
  throw usageError(
    `the network of the members cannot be told from the addresses of this machine (${own.map(({ name, address, prefix }) => `${address}/${prefix} on ${name}`).join(', ') || 'none that is IPv4'}); give it with --network ADDRESS/PREFIX`,
  )
}

/** The interface for a virtual IP that is not in the members' network. */
function carrierOf(virtualIp: Cidr, devices: readonly Device[], member: Device, network: Cidr): string {
  const carrier = devices.find(
    ({ address }) => address !== virtualIp.address && sameNetwork(virtualIp, address),
  )
  if (carrier) return carrier.name
  if (sameNetwork(network, virtualIp.address)) return member.name
  throw usageError(
    `no address of this machine is in the network of the virtual IP ${virtualIp.address}/${virtualIp.prefix}; name the interface that is to carry it with --interface`,
  )
}

/** A member cannot found a second cluster. @throws one sentence. */
export function checkFirst({ settings }: MachineFacts, { virtualIp }: FirstOptions): void {
  if (settings === null || settings.virtualIp === virtualIp) return
  throw usageError(
    settings.virtualIp === null
      ? 'this machine is already a member of a cluster without a virtual IP; join it again with --virtual-ip none'
      : `this machine is already a member of the cluster with the virtual IP ${settings.virtualIp}; join it again with that address`,
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
