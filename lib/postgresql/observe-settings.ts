import type { Connection } from './client.ts'
import type { CommitSetting } from './decide-settings.ts'

/**
 * The settings that decide whether an acknowledged commit is on disk: the server's, and on a primary those of databases and roles.
 * What applies to this session only, as it comes from one of the latter, is not taken for the server's.
 */
export async function readCommitSettings(connection: Connection): Promise<CommitSetting[]> {
  const server = await connection.query<{ name: CommitSetting['name']; value: string; file: string | null }>(
    `select name, setting as value, sourcefile as file from pg_settings
     where name in ('fsync', 'full_page_writes', 'synchronous_commit')
       and source in ('default', 'environment variable', 'configuration file', 'command line')
     order by name`,
  )
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
    ...server.map(({ name, value, file }): CommitSetting => ({ name, value, file })),
    ...clients.map((one): CommitSetting => ({ name: 'synchronous_commit', ...one })),
  ]
}
