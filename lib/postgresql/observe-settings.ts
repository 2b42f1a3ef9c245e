import { type Connection, sqlLiteral } from './client.ts'
import type { Parameter } from './decide-parameters.ts'
import { memberParameters, type SettingInEffect } from './decide-settings.ts'

/**
 * What a server has in effect of what a member sets. reset_val, because of the TCP keepalives `setting` is what the kernel has for this
 * very connection.
 */
export const SERVER_SETTINGS = `select name, reset_val as value, unit, sourcefile as file, source = 'default' as default,
    context = 'postmaster' as restart
  from pg_settings
  where name in (${memberParameters.map(sqlLiteral).join(', ')})
    and source in ('default', 'environment variable', 'configuration file', 'command line')
  order by name`

/** The parameters of a member as they are in effect on another server, without what only some of its clients have. */
export async function readParameters(connection: Connection): Promise<Parameter[]> {
  return (await readServer(connection)).map(({ name, value, unit = null }) => ({ name, value, unit }))
}

/**
 * What is in effect of what a member sets: for the server, and on a primary what databases and roles make of synchronous_commit.
 * What applies to this session only, as it comes from one of the latter, is not taken for the server's.
 */
export async function readSettingsInEffect(connection: Connection): Promise<SettingInEffect[]> {
  const clients = await connection.query<{ value: string; of: string }>(
    `select split_part(entry, '=', 2) as value,
       case when role = 0 and database <> 0 then 'database ' || quote_ident(datname)
         else 'role ' || case when role = 0 then 'all' else quote_ident(rolname) end
           || case when database = 0 then '' else ' in database ' || quote_ident(datname) end
       end as of
     from (select setrole as role, setdatabase as database, unnest(setconfig) as entry from pg_db_role_setting) as set
       left join pg_database on pg_database.oid = database
       left join pg_roles on pg_roles.oid = role
     where entry like 'synchronous\\_commit=%' and not pg_is_in_recovery()
       and (database = 0 or datname is not null) and (role = 0 or rolname is not null)
     order by 2`,
  )
  return [
    ...(await readServer(connection)),
    ...clients.map((one): SettingInEffect => ({ name: 'synchronous_commit', ...one })),
  ]
}

const readServer = (connection: Connection): Promise<SettingInEffect[]> =>
  connection.query<SettingInEffect & Record<string, unknown>>(SERVER_SETTINGS)
