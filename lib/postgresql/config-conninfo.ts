/** libpq parameters of every connection between members: one to a silent machine ends after about two seconds. */
const patience = {
  connect_timeout: 2,
  tcp_user_timeout: 2000,
  keepalives_idle: 1,
  keepalives_interval: 1,
  keepalives_count: 2,
} as const

/**
 * A libpq connection string, see https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING. Passwords
 * never go in here: they are in the password file.
 */
export function renderConninfo(parameters: Readonly<Record<string, string | number>>): string {
  return Object.entries({ ...parameters, ...patience })
    .map(([name, value]) => `${name}=${quote(String(value))}`)
    .join(' ')
}

const quote = (value: string): string =>
  /^[A-Za-z0-9_./:-]+$/.test(value) ? value : `'${value.replace(/[\\']/g, '\\$&')}'`

/** One line of a libpq password file for any host and port; ":" and "\" are escaped as its format requires. */
export function renderPassfile(user: string, password: string): string {
  const escaped = (text: string): string => text.replace(/[\\:]/g, '\\$&')
  return `*:*:*:${escaped(user)}:${escaped(password)}\n`
}
