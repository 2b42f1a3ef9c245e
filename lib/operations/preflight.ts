import { EXIT, UnderstudyError } from '../core/errors.ts'
import { type Cidr, networkOf, parseCidr, sameNetwork } from '../core/network.ts'
import type { MachineFacts } from './machine.ts'

/** Where this machine will be in the cluster's network. */
export interface Placement {
  interface: string
  address: string
  network: string
  prefix: number
}

/** A machine that is this far off cannot be trusted with time-outs and certificates. */
const CLOCK_TOLERANCE_MS = 5000
const NODE_NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/

const refuse = (message: string): UnderstudyError => new UnderstudyError(EXIT.config, message)

/** What every machine must have. @throws one sentence for the first thing that is not right. */
export function checkMachine(facts: MachineFacts, buildTimeMs: number): void {
  if (!facts.root) throw refuse('this needs root: run it with sudo or as root')
  if (facts.missing.length > 0)
    throw refuse(`these packages are missing: ${facts.missing.join(', ')}; apt install them first`)
  if (!NODE_NAME.test(facts.node)) {
    throw refuse(
      `the host name "${facts.node}" cannot be a member's name: use lower-case letters, digits and -`,
    )
  }
  if (facts.nowMs < buildTimeMs) {
    throw refuse(
      `the clock says ${new Date(facts.nowMs).toISOString()}, which is before this software was made; set it right first`,
    )
  }
  if (facts.foreignConsul)
    throw refuse(
      'a Consul that is not part of an understudy cluster has data on this machine; remove it first',
    )
  if (facts.postgresqlVersions.length === 0)
    throw refuse('there is no PostgreSQL cluster named main; create one with pg_createcluster')
}

/** Finds the interface in the virtual IP's network, or checks the one that was named. @throws one sentence. */
export function placeMachine(facts: MachineFacts, virtualIp: string, named: string | undefined): Placement {
  const cidr = parseCidr(virtualIp) as Cidr
  const names = [...new Set(facts.devices.map(({ name }) => name))].join(', ') || 'none with an IPv4 address'
  if (named !== undefined && !facts.devices.some(({ name }) => name === named)) {
    throw usage(`there is no interface ${named} with an IPv4 address; there is: ${names}`)
  }
  const device = facts.devices.find(
    ({ name, address }) =>
      (named === undefined || name === named) && address !== cidr.address && sameNetwork(cidr, address),
  )
  if (!device)
    throw usage(
      `no address of ${named ?? 'this machine'} is in the network of the virtual IP ${virtualIp}; there is: ${names}`,
    )
  return {
    interface: device.name,
    address: device.address,
    network: networkOf(device),
    prefix: device.prefix,
  }
}

const usage = (message: string): UnderstudyError => new UnderstudyError(EXIT.usage, message)

/** @throws where the clocks of this machine and of the primary are too far apart. */
export function checkClock(ownMs: number, primaryMs: number): void {
  const aheadMs = ownMs - primaryMs
  if (Math.abs(aheadMs) <= CLOCK_TOLERANCE_MS) return
  const seconds = Math.round(Math.abs(aheadMs) / 1000)
  throw refuse(
    `the clock of this machine is ${seconds} s ${aheadMs > 0 ? 'ahead of' : 'behind'} the primary's; set it right first (timedatectl)`,
  )
}
