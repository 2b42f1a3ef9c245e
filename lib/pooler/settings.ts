/** What a setting of PgBouncer takes: a whole number in a range, one of some words, or names of parameters. */
type Takes =
  | { from: number; to: number; unit?: 's' }
  | { words: readonly string[] }
  | { names: true; always: string }

const seconds = { from: 0, to: 31_536_000, unit: 's' } as const
const connections = { from: 0, to: 10_000 } as const

/**
 * The settings of PgBouncer that are the cluster's to choose, as PgBouncer 1.18 and later know them. All of them take effect with a
 * reload. See https://www.pgbouncer.org/config.html.
 */
const SETTINGS: Readonly<Record<string, Takes>> = {
  pool_mode: { words: ['session', 'transaction', 'statement'] },
  max_client_conn: { from: 1, to: 30_000 },
  default_pool_size: { from: 1, to: 10_000 },
  min_pool_size: connections,
  reserve_pool_size: connections,
  reserve_pool_timeout: seconds,
  max_db_connections: connections,
  max_user_connections: connections,
  query_timeout: seconds,
  query_wait_timeout: seconds,
  client_idle_timeout: seconds,
  client_login_timeout: seconds,
  idle_transaction_timeout: seconds,
  server_idle_timeout: seconds,
  server_lifetime: seconds,
  ignore_startup_parameters: { names: true, always: 'extra_float_digits' },
}

/** Why this is no setting of PgBouncer, in one sentence; null if it is one. PgBouncer does not start with a value that it does not know. */
export function settingProblem(name: string, value: string): string | null {
  const takes = Object.hasOwn(SETTINGS, name) ? SETTINGS[name] : undefined
  if (takes === undefined) return `${name} is not one of ${Object.keys(SETTINGS).join(', ')}`
  if ('words' in takes)
    return takes.words.includes(value) ? null : `${name} takes ${takes.words.join(', ')}, not "${value}"`
  if ('names' in takes) {
    const right = /^[A-Za-z_][\w.]*(,[A-Za-z_][\w.]*)*$/.test(value)
    return right ? null : `${name} takes names of parameters with commas between them, not "${value}"`
  }
  const { from, to, unit } = takes
  if (/^\d{1,9}$/.test(value) && Number(value) >= from && Number(value) <= to) return null
  return `${name} takes a whole number from ${from} to ${to}${unit === 's' ? ', in seconds' : ''}, not "${value}"`
}

/** The lines of PgBouncer's section for these settings. What is none, as an older or newer build may have written, is left out. */
export function renderSettings(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .filter(([name, value]) => settingProblem(name, value) === null)
    .map(([name, value]) => {
      const takes = SETTINGS[name]
      const always =
        takes !== undefined && 'names' in takes && value !== takes.always ? `${takes.always},` : ''
      return `${name} = ${always}${value}\n`
    })
    .join('')
}

/** Why this cannot be a database behind PgBouncer, in one sentence; null if it can. */
export function databaseProblem(name: string): string | null {
  if (!/^[A-Za-z0-9_.-]{1,63}$/.test(name))
    return `a database name for PgBouncer consists of up to 63 letters, digits, "_", "." and "-"; "${name}" does not`
  if (['pgbouncer', 'repmgr', 'template0', 'template1'].includes(name))
    return `${name} cannot be a database behind PgBouncer; choose another name`
  return null
}
