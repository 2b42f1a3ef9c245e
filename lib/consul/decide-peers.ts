import type { Seats } from './schemas.ts'

/** The other members, in the order of their names. */
export const peersOf = (self: string, { seats }: Seats): { node: string; address: string }[] =>
  Object.entries(seats)
    .filter(([node]) => node !== self)
    .map(([node, { address }]) => ({ node, address }))
    .sort((a, b) => a.node.localeCompare(b.node, 'en'))
