import { EXIT, UnderstudyError } from './errors.ts'
import { tryRun } from './exec.ts'

export interface SystemUser {
  uid: number
  gid: number
}

/** A user's number, or null if there is no such user. */
export const userId = async (name: string): Promise<number | null> =>
  (await lookUp('passwd', name))?.id ?? null

/** A group's number, or null if there is no such group. */
export const groupId = async (name: string): Promise<number | null> =>
  (await lookUp('group', name))?.id ?? null

/** The name of a user or group by its number, or the number if there is no such user or group. */
export const nameOfId = async (database: 'passwd' | 'group', id: number): Promise<string> =>
  (await lookUp(database, String(id)))?.name ?? String(id)

/** A group's number. @throws if there is no such group. */
export async function systemGroup(name: string): Promise<number> {
  const id = await groupId(name)
  if (id === null)
    throw new UnderstudyError(EXIT.config, `there is no group ${name}; install the package that creates it`)
  return id
}

/** A system user's ids. @throws if there is no such user. */
export async function systemUser(name: string): Promise<SystemUser> {
  const found = await lookUp('passwd', name)
  if (found === null)
    throw new UnderstudyError(
      EXIT.config,
      `there is no system user ${name}; install the package that creates it`,
    )
  return { uid: found.id, gid: found.gid }
}

/** An entry of passwd(5) or group(5), by its name or number, or null. `gid` is meaningful for users only. */
async function lookUp(
  database: 'passwd' | 'group',
  key: string,
): Promise<{ name: string; id: number; gid: number } | null> {
  const [name, , id, gid] = (await tryRun('getent', [database, key])).stdout.split(':')
  return name && id ? { name, id: Number(id), gid: Number(gid) } : null
}
