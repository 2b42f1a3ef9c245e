/** An IPv4 address with the length of its network's prefix. */
export interface Cidr {
  address: string
  prefix: number
}

/** Parses "10.77.0.100/24". @returns null where it is anything else. */
export function parseCidr(text: string): Cidr | null {
  const [, address, digits] = /^(\d{1,3}(?:\.\d{1,3}){3})\/(\d{1,2})$/.exec(text) ?? []
  if (address === undefined || !isAddress(address)) return null
  const prefix = Number(digits)
  return prefix >= 1 && prefix <= 32 ? { address, prefix } : null
}

/** Is this an IPv4 address in its usual form (no leading zeros)? */
export const isAddress = (text: string): boolean =>
  /^\d{1,3}(\.\d{1,3}){3}$/.test(text) &&
  text.split('.').every((part) => Number(part) <= 255 && String(Number(part)) === part)

/** The network an address is in, "10.77.0.0/24". */
export function networkOf({ address, prefix }: Cidr): string {
  return `${toAddress(toNumber(address) & mask(prefix))}/${prefix}`
}

/** The network of an address with a prefix, as wide as the wider of two. */
export const widerNetwork = ({ address, prefix }: Cidr, other: Cidr): string =>
  networkOf({ address, prefix: Math.min(prefix, other.prefix) })

/** Is the address in the network that `cidr` is in? */
export const sameNetwork = (cidr: Cidr, address: string): boolean =>
  networkOf(cidr) === networkOf({ address, prefix: cidr.prefix })

/** May a machine have this address, or is it the network's own or its broadcast address? */
export function isHostAddress({ address, prefix }: Cidr): boolean {
  if (prefix >= 31) return true
  const host = toNumber(address) & ~mask(prefix)
  return host !== 0n && host !== (~mask(prefix) & 0xffffffffn)
}

const mask = (prefix: number): bigint => (0xffffffffn << BigInt(32 - prefix)) & 0xffffffffn
const toNumber = (address: string): bigint =>
  address.split('.').reduce((sum, part) => (sum << 8n) | BigInt(part), 0n)
const toAddress = (number: bigint): string =>
  [24n, 16n, 8n, 0n].map((shift) => String((number >> shift) & 255n)).join('.')
