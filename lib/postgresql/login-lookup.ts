import { createHash } from 'node:crypto'
import { type Connection, sqlLiteral } from './client.ts'
import { LOOKUP_ROLE } from './config.ts'
import { scramSecret } from './scram.ts'

/**
 * The password of {@link LOOKUP_ROLE}. It follows from the password of repmgr, whose role is a superuser anyway: every member knows it,
 * also of a cluster that was founded without it.
 */
export const lookupPassword = (repmgrPassword: string): string =>
  createHash('sha256').update(`${LOOKUP_ROLE}:${repmgrPassword}`).digest('base64url')

/** Who may not log in to PostgreSQL cannot log in to PgBouncer either. The secret of a superuser is nobody's business. */
const BODY = `select rolname::text, rolpassword from pg_authid
  where rolname = $1 and rolcanlogin and not rolsuper and not rolreplication
    and (rolvaliduntil is null or rolvaliduntil > now())`

/** Does this database have the function? Any user may ask. */
export async function hasLoginLookup(connection: Connection): Promise<boolean> {
  const found = await connection.query(
    `select from pg_proc join pg_namespace on pg_namespace.oid = pronamespace
     where nspname = 'understudy' and proname = 'login' and prosecdef`,
  )
  return found.length > 0
}

/**
 * Lets PgBouncer ask this database for the secrets of its users. Changes nothing where it can already.
 * @param connection of a superuser, on the primary. PgBouncer 1.18 asks the very database that a client logs in to.
 */
export async function keepLoginLookup(connection: Connection, password: string): Promise<void> {
  const [row] = await connection.query<{ secret: string | null; complete: boolean | null }>(
    `select (select rolpassword from pg_authid where rolname = $1 and rolcanlogin) as secret,
       (select prosrc = $2 and prosecdef and has_database_privilege(role.oid, current_database(), 'connect')
          and has_schema_privilege(role.oid, schema.oid, 'usage') and has_function_privilege(role.oid, login.oid, 'execute')
        from pg_roles as role, pg_namespace as schema join pg_proc as login on login.pronamespace = schema.oid
        where rolname = $1 and nspname = 'understudy' and proname = 'login') as complete`,
    [LOOKUP_ROLE, BODY],
  )
  const secret = scramSecret(LOOKUP_ROLE, password)
  if (row?.secret === secret && row.complete) return
  // Several machines may join at the same moment.
  await connection.query(`
    select pg_advisory_xact_lock(hashtext('understudy login'));
    do $$ begin
      if not exists (select from pg_roles where rolname = '${LOOKUP_ROLE}') then create role ${LOOKUP_ROLE}; end if;
      execute format('grant connect on database %I to ${LOOKUP_ROLE}', current_database());
    end $$;
    alter role ${LOOKUP_ROLE} login nosuperuser password ${sqlLiteral(secret)};
    create schema if not exists understudy;
    create or replace function understudy.login(text) returns table (name text, secret text)
      language sql stable strict security definer set search_path = pg_catalog, pg_temp as ${sqlLiteral(BODY)};
    revoke all on function understudy.login(text) from public;
    grant usage on schema understudy to ${LOOKUP_ROLE};
    grant execute on function understudy.login(text) to ${LOOKUP_ROLE};`)
}
