import type { DurabilityMode } from '../consul/manifest.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'

/** A parameter as a configuration file or a server has it. */
export interface Parameter {
  name: string
  value: string
  /** The unit of a bare number, from pg_settings; null where it has none. */
  unit: string | null
}

/** A line of a configuration file, in the order in which PostgreSQL reads them: the last one of a name wins. */
export interface ConfiguredParameter extends Parameter {
  file: string
  line: number
  /** What is wrong with the line, as PostgreSQL says it. */
  error: string | null
}

/** Which of two values understudy can live with; a parameter without a rule must have our value. */
type ParameterRule =
  /** A list that must include our items. */
  | 'includes'
  /** The larger one. */
  | 'at least'
  /** Whatever the operator has chosen. */
  | 'theirs'
  /** One of these, else our value. */
  | readonly string[]

const RULES: Readonly<Record<string, ParameterRule>> = {
  shared_preload_libraries: 'includes',
  max_connections: 'at least',
  superuser_reserved_connections: 'at least',
  reserved_connections: 'at least',
  max_wal_senders: 'at least',
  max_replication_slots: 'at least',
  wal_keep_size: 'at least',
  max_slot_wal_keep_size: 'theirs',
  wal_level: ['replica', 'logical'],
  synchronous_commit: ['on', 'remote_apply', 'true', 'yes', '1'],
  fsync: ['on', 'true', 'yes', '1'],
  full_page_writes: ['on', 'true', 'yes', '1'],
  hot_standby: ['on', 'true', 'yes', '1'],
  wal_log_hints: ['on', 'true', 'yes', '1'],
}

/**
 * In mode `async` commits wait for no standby anyway, so it is for the operator to choose what they wait for.
 */
const ruleOf = (name: string, mode: DurabilityMode): ParameterRule | undefined =>
  name === 'synchronous_commit' && mode === 'async' ? 'theirs' : RULES[name]

/** The value with which ours and theirs are both served. */
function mergedValue(
  { name, value: ours }: Pick<Parameter, 'name' | 'value'>,
  theirs: Parameter,
  mode: DurabilityMode,
): string {
  const rule = ruleOf(name, mode)
  if (rule === undefined) return ours
  if (rule === 'theirs') return isSame(ours, theirs) ? ours : theirs.value
  if (rule === 'includes') {
    const items = listItems(theirs.value)
    const missing = tokens(ours).filter((token) => !items.includes(unquoted(token)))
    return [...tokens(theirs.value), ...missing].join(',')
  }
  if (rule === 'at least')
    return amount(theirs.value, theirs.unit) > amount(ours, theirs.unit) ? theirs.value : ours
  return rule.includes(theirs.value.toLowerCase()) ? theirs.value : ours
}

/** Does a value in effect do what ours is for? */
export function isEnough(
  { name, value: ours }: Pick<Parameter, 'name' | 'value'>,
  now: Parameter,
  mode: DurabilityMode,
): boolean {
  const rule = ruleOf(name, mode)
  if (rule === 'theirs') return true
  if (rule === 'includes') return listItems(ours).every((item) => listItems(now.value).includes(item))
  if (rule === 'at least') return amount(now.value, now.unit) >= amount(ours, now.unit)
  if (rule !== undefined) return rule.includes(now.value.toLowerCase())
  return isSame(ours, now)
}

const isSame = (ours: string, { value, unit }: Parameter): boolean =>
  value === ours || amount(value, unit) === amount(ours, unit)

/**
 * What the operator has set beside us: of each name the value that would win.
 * @param lines all lines of all files, in PostgreSQL's order.
 */
export function theirParameters(
  lines: readonly ConfiguredParameter[],
  ours: string,
): Map<string, ConfiguredParameter> {
  return new Map(lines.filter(({ file }) => file !== ours).map((line) => [line.name, line]))
}

/**
 * Whose settings a member merges into ours when it is configured anew. What it once got from a primary is nowhere but in our own file,
 * so that counts where nobody else tells.
 * @param primary unknown where it is away, and where it is this machine.
 */
export const settingsToMerge = ({
  kept,
  theirs,
  primary,
}: {
  /** What our own file has. */
  kept: readonly Parameter[]
  /** What the operator has set beside us; unknown where PostgreSQL does not answer. */
  theirs: readonly Parameter[] | Unknown
  /** What is in effect there. */
  primary: readonly Parameter[] | Unknown
}): Parameter[] => [
  ...(theirs === UNKNOWN || primary === UNKNOWN ? kept : []),
  ...(theirs === UNKNOWN ? [] : theirs),
  ...(primary === UNKNOWN ? [] : primary),
]

/** Merges several sources into our values. @returns those that become others. */
export function mergeParameters(
  ours: ReadonlyMap<string, string>,
  theirs: readonly Parameter[],
  mode: DurabilityMode,
): Map<string, string> {
  const merged = new Map<string, string>()
  for (const one of theirs) {
    const { name } = one
    const value = merged.get(name) ?? ours.get(name)
    if (value === undefined) continue
    const now = mergedValue({ name, value }, one, mode)
    if (now !== ours.get(name)) merged.set(name, now)
  }
  return merged
}

/**
 * What must be changed where ALTER SYSTEM has put it (postgresql.auto.conf), which wins over all files of the configuration.
 * @param wanted our values, which serve the operator's.
 * @returns the values, more than one for a list, by name.
 */
export function overrulings(
  wanted: ReadonlyMap<string, string>,
  lines: readonly ConfiguredParameter[],
  mode: DurabilityMode,
): Map<string, string[]> {
  const winners = new Map(lines.map((line) => [line.name, line]))
  const changes = new Map<string, string[]>()
  for (const [name, value] of wanted) {
    const winner = winners.get(name)
    if (!winner?.file.endsWith('/postgresql.auto.conf') || isEnough({ name, value }, winner, mode)) continue
    const now = mergedValue({ name, value }, winner, mode)
    changes.set(name, ruleOf(name, mode) === 'includes' ? listItems(now) : [now])
  }
  return changes
}

/** Items of a list of identifiers such as shared_preload_libraries: in double quotes where they hold something special. */
export const listItems = (text: string): string[] => tokens(text).map(unquoted)

const tokens = (text: string): string[] =>
  Array.from(text.matchAll(/"(?:[^"]|"")*"|[^",\s]+/g), ([token]) => token)

const unquoted = (token: string): string =>
  token.startsWith('"') ? token.slice(1, -1).replaceAll('""', '"') : token

/** Factors of the units of PostgreSQL, see https://www.postgresql.org/docs/current/config-setting.html: to kB and to ms. */
const FACTORS: Readonly<Record<string, number>> = {
  ...{ B: 1 / 1024, kB: 1, MB: 1024, GB: 1024 ** 2, TB: 1024 ** 3 },
  ...{ us: 1 / 1000, ms: 1, s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000 },
}

/**
 * A number with or without a unit, in kB or ms where it has one; NaN where it is none.
 * @param unit of a bare number, such as `8kB`; null where it has none.
 */
function amount(text: string, unit: string | null): number {
  const [, number, own] = /^\s*([-+]?[\d.]+)\s*([A-Za-z]*)\s*$/.exec(text) ?? []
  if (number === undefined) return Number.NaN
  const [, times = '1', of = ''] = /^(\d*)([A-Za-z]*)$/.exec(own || (unit ?? '')) ?? []
  return Number(number) * Number(times || 1) * (FACTORS[of] ?? 1)
}
