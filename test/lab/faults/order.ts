/** Is a cluster in order again? Pure: from what was read first-hand on every machine. */

/** One machine, as it looks from inside. */
export interface MachineView {
  machine: string
  address: string
  /** What `understudy status` on it calls a problem; null where it could not be asked. */
  problems: readonly string[] | null
  database: DatabaseView | null
  /** Address of the database that a client of its PgBouncer is led to; null where it is led nowhere. */
  pooler: string | null
  holdsVirtualIp: boolean
}

export type DatabaseView =
  | { role: 'primary'; timeline: number }
  /** `from` is the address that it streams from on this timeline, null where it does not. */
  | { role: 'standby'; timeline: number; from: string | null }

/** Everything that differs from one primary that all others stream from and all clients are led to. */
export function deviations(views: readonly MachineView[]): string[] {
  const primaries = views.filter(({ database }) => database?.role === 'primary')
  const [primary] = primaries
  if (primary === undefined || primaries.length > 1) {
    const names = primaries.map(({ machine }) => machine).join(' and ')
    return [primary === undefined ? 'there is no primary' : `${names} are primaries at the same time`]
  }
  return views.flatMap((view) => deviationsOf(view, primary))
}

function deviationsOf(view: MachineView, primary: MachineView): string[] {
  const { machine, problems, database, pooler, holdsVirtualIp } = view
  const found: string[] = []
  if (problems === null) found.push(`${machine} has no status`)
  else found.push(...problems.map((problem) => `${machine} says: ${problem}`))

  if (database === null) found.push(`PostgreSQL on ${machine} does not answer`)
  else if (database.role === 'standby') {
    if (database.from !== primary.address)
      found.push(`${machine} streams from ${database.from ?? 'nobody'}, not from ${primary.machine}`)
    if (database.timeline !== primary.database?.timeline)
      found.push(
        `${machine} is on timeline ${database.timeline}, ${primary.machine} on ${primary.database?.timeline}`,
      )
  }
  if (pooler !== primary.address)
    found.push(`PgBouncer on ${machine} leads to ${pooler ?? 'nobody'}, not to ${primary.machine}`)
  if (holdsVirtualIp && view !== primary) found.push(`${machine} holds the virtual IP`)
  if (!holdsVirtualIp && view === primary) found.push(`${machine}, the primary, does not hold the virtual IP`)
  return found
}
