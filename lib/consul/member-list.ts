/** Addresses of others, each once, in a fixed order. */
export const otherAddresses = (addresses: readonly string[], own: string): string[] =>
  [...new Set(addresses)].filter((address) => address !== own).sort()
