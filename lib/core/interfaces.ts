import { networkInterfaces } from 'node:os'

/** Is this address (with or without a prefix length) on one of our interfaces? */
export function holdsAddress(cidr: string): boolean {
  const [address] = cidr.split('/')
  return Object.values(networkInterfaces()).some((list) => list?.some((entry) => entry.address === address))
}
