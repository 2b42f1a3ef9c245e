/** libpq parameters of every connection between members: one to a silent machine ends after about two seconds. */
const patience = {
  connect_timeout: 2,
  tcp_user_timeout: 2000,
  keepalives_idle: 1,
  keepalives_interval: 1,
  keepalives_count: 2,
} as const

/** The same for copies of the primary, whose receiver may be slow: only keepalives tell that a machine is silent, after 70 s. */
const patienceOfCopies = {
  connect_timeout: 10,
  keepalives_idle: 10,
  keepalives_interval: 10,
  keepalives_count: 6,
} as const

type Parameters = Readonly<Record<string, string | number>>

/**
 * A libpq connection string, see https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING. Passwords
 * never go in here: they are in the password file.
 */
export const renderConninfo = (parameters: Parameters): string => render({ ...parameters, ...patience })

/** {@link renderConninfo} for a copy of the primary. */
export const renderCopyConninfo = (parameters: Parameters): string =>
  render({ ...parameters, ...patienceOfCopies })

const render = (parameters: Parameters): string =>
  Object.entries(parameters)
    .map(([name, value]) => `${name}=${quote(String(value))}`)
    .join(' ')

const quote = (value: string): string =>
  /^[A-Za-z0-9_./:-]+$/.test(value) ? value : `'${value.replace(/[\\']/g, '\\$&')}'`

/** One line of a libpq password file for any host and port; ":" and "\" are escaped as its format requires. */
export function renderPassfile(user: string, password: string): string {
  const escaped = (text: string): string => text.replace(/[\\:]/g, '\\$&')
  return `*:*:*:${escaped(user)}:${escaped(password)}\n`
}
