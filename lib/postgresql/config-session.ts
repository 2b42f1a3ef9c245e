/**
 * What our sessions rely on. The server, a database or a role may have other defaults: a standby answers no query of a serializable
 * session, and a promotion must not end with the time-out of the application's statements. Parameters of a connection win over all
 * of them, see https://www.postgresql.org/docs/current/config-setting.html. All exist since PostgreSQL 14.
 */
const defaults = {
  default_transaction_isolation: 'read committed',
  default_transaction_read_only: 'off',
  default_transaction_deferrable: 'off',
  statement_timeout: '0',
  lock_timeout: '0',
  idle_session_timeout: '0',
  idle_in_transaction_session_timeout: '0',
  search_path: 'pg_catalog,public',
  standard_conforming_strings: 'on',
  row_security: 'on',
} as const

/** The same since a release. An option that a server does not know ends the connection, so these are set when it is there. */
const later = [{ since: 17, name: 'transaction_timeout', value: '0' }] as const

/** Statements that a session begins with, beside {@link SESSION_OPTIONS}. @param version the server's major one. */
export const sessionStatements = (version: number): string[] =>
  later.filter(({ since }) => since <= version).map(({ name, value }) => `set ${name} = '${value}'`)

/** psql's commands for the text that only a server since this release understands. */
const since = (version: number, text: string): string =>
  `select :SERVER_VERSION_NUM >= ${version}0000 as is_later \\gset\n\\if :is_later\n${text};\n\\endif`

/** {@link sessionStatements} for psql, whatever the server is. */
export const PSQL_STATEMENTS = later
  .map((one) => since(one.since, `set ${one.name} = '${one.value}'`))
  .join('\n')

/** libpq's `options`, also the value of PGOPTIONS: https://www.postgresql.org/docs/current/libpq-envars.html. */
export const SESSION_OPTIONS = Object.entries(defaults)
  .map(([name, value]) => `-c ${name}=${value.replaceAll(' ', '\\ ')}`)
  .join(' ')

/** For psql: gives a role the same. repmgr sets the options of its connections itself, and with them its search_path. */
export const sessionDefaultsOf = (role: string): string[] => [
  ...Object.entries(defaults)
    .filter(([name]) => name !== 'search_path')
    .map(([name, value]) => `alter role ${role} set ${name} = '${value}';`),
  ...later.map((one) => since(one.since, `alter role ${role} set ${one.name} = '${one.value}'`)),
]
