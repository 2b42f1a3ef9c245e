/**
 * The settings of which a standby needs at least what its primary has, by their names in the output of pg_controldata:
 * https://www.postgresql.org/docs/current/hot-standby.html#HOT-STANDBY-ADMIN. With less it does not start, or stops replaying, and
 * then it cannot be promoted.
 */
const IN_CONTROL_FILE = {
  max_connections: 'max_connections',
  max_worker_processes: 'max_worker_processes',
  max_wal_senders: 'max_wal_senders',
  max_prepared_transactions: 'max_prepared_xacts',
  max_locks_per_transaction: 'max_locks_per_xact',
} as const

export type HotStandbyName = keyof typeof IN_CONTROL_FILE
export type HotStandbySettings = ReadonlyMap<HotStandbyName, number>

export const hotStandbyNames = Object.keys(IN_CONTROL_FILE) as HotStandbyName[]

/** A setting that is too small here. */
export interface Shortage {
  name: HotStandbyName
  value: number
  needed: number
}

/** What the primary had, as the data directory knows it. @param text what pg_controldata prints. */
export const parseHotStandby = (text: string): HotStandbySettings =>
  new Map(
    hotStandbyNames.flatMap((name) => {
      const [, value] = new RegExp(`^${IN_CONTROL_FILE[name]} setting:\\s+(\\d+)$`, 'm').exec(text) ?? []
      return value === undefined ? [] : [[name, Number(value)]]
    }),
  )

export const shortagesOf = (own: HotStandbySettings, needed: HotStandbySettings): Shortage[] =>
  hotStandbyNames.flatMap((name) => {
    const [value, least] = [own.get(name), needed.get(name)]
    return value !== undefined && least !== undefined && value < least ? [{ name, value, needed: least }] : []
  })

/** For a sentence. */
export const sayShortages = (shortages: readonly Shortage[]): string =>
  shortages
    .map(({ name, value, needed }) => `${name} is ${value} here and ${needed} on the primary`)
    .join(', ')
