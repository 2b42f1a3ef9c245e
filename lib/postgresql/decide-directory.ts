/** How data comes to where a copy of the primary can take its place. */
export const howToMove = (place: string): string =>
  `stop it, move the data to ${place} itself (a disk of its own goes on /var/lib/postgresql), and set data_directory`

/**
 * Why PostgreSQL would not start from the data that its member looks after, in one sentence; null if it would.
 * @param configured the data directory that its configuration names; null if it does not start with that configuration at all.
 * @param place the member's data directory.
 */
export const whyElsewhere = (configured: string | null, place: string): string | null =>
  configured === null || configured === place
    ? null
    : `data_directory of PostgreSQL is ${configured}, and the data of a member is in ${place}; ${howToMove(place)}`

/** What lies where a copy of the primary would go. */
export interface PlaceFacts {
  /** The member's data directory. */
  place: string
  kind: 'directory' | 'link' | 'mount point' | 'missing'
  /** Directories below it that something is mounted on. */
  mountsBelow: readonly string[]
  /** Directories in it that are links: a copy has them in the directory itself, or not at all. */
  links: readonly string[]
}

/** Why a copy of the primary could not take the place of a data directory with all that it has: one sentence, or null. */
export function whyNotReplaced({ place, kind, mountsBelow, links }: PlaceFacts): string | null {
  const could = 'which a copy of the primary could not replace'
  if (kind === 'link' || kind === 'mount point') return `${place} is a ${kind}, ${could}; ${howToMove(place)}`
  if (mountsBelow.length > 0)
    return `${mountsBelow.join(' and ')} below the data of PostgreSQL is a mount point, ${could}; ${howToMove(place)}`
  return links.length === 0
    ? null
    : `${links.join(' and ')} in the data of PostgreSQL is a link, ${could}; stop PostgreSQL and put the directory itself there (a disk of its own goes on /var/lib/postgresql)`
}
