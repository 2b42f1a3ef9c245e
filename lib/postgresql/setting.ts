import { type Connection, sqlLiteral } from './client.ts'

/**
 * Sets parameters of the server that need no restart, for all sessions and over a restart (ALTER SYSTEM).
 * @param options.always also if they are in effect already: the file may hold something else.
 * @returns whether anything had to change.
 */
export async function setAndReload(
  own: Connection,
  parameters: Readonly<Record<string, string>>,
  { always = false } = {},
): Promise<boolean> {
  let changed = false
  for (const [name, value] of Object.entries(parameters)) {
    const [row] = await own.query<{ value: string }>(`select current_setting('${name}') as value`)
    if (row?.value === value && !always) continue
    await own.query(`alter system set ${name} = ${sqlLiteral(value)}`)
    changed = true
  }
  if (changed) await own.query('select pg_reload_conf()')
  return changed
}
