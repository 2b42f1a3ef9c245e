import { networkInterfaces } from 'node:os'
import { type Cidr, parseCidr } from './network.ts'
import { keepQuestion } from './questions.ts'

/** An IPv4 address of a network interface. */
export interface Device extends Cidr {
  /** Of the interface: without the label that an address may have (eth0:1). */
  name: string
}

/** The IPv4 addresses of this machine, but for those of the loopback interface, in the kernel's order. */
export const readDevices = (): Device[] =>
  Object.entries(interfaces()).flatMap(([label, addresses = []]) =>
    addresses
      .filter(({ internal }) => !internal)
      .flatMap(({ cidr }) => {
        const parsed = parseCidr(cidr ?? '')
        return parsed ? [{ name: label.split(':')[0] ?? label, ...parsed }] : []
      }),
  )

/** Is this address (with or without a prefix length) on one of our interfaces? null is on none. */
export function holdsAddress(cidr: string | null): boolean {
  const [address] = cidr?.split('/') ?? []
  return Object.values(interfaces()).some((list) => list?.some((entry) => entry.address === address))
}

function interfaces(): ReturnType<typeof networkInterfaces> {
  keepQuestion('addresses')
  return networkInterfaces()
}
