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
