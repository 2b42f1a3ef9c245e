import { EXIT, UnderstudyError } from '../errors.ts'
import { tryRun } from './exec.ts'

export interface SystemUser {
  uid: number
  gid: number
}

/** A user's number, or null where there is no such user. */
export const userId = (name: string): Promise<number | null> => idOf('passwd', name)

/** A group's number, or null where there is no such group. */
export const groupId = (name: string): Promise<number | null> => idOf('group', name)

/** A group's number. @throws where there is no such group. */
export async function systemGroup(name: string): Promise<number> {
  const id = await groupId(name)
  if (id === null)
    throw new UnderstudyError(EXIT.config, `there is no group ${name}; install the package that makes it`)
  return id
}

/** The third field of passwd(5) and of group(5). */
async function idOf(database: 'passwd' | 'group', name: string): Promise<number | null> {
  const id = (await tryRun('getent', [database, name])).stdout.split(':')[2]
  return id === undefined ? null : Number(id)
}

/** The name of a user or group by its number; the number itself where it has none. */
export async function nameOfId(database: 'passwd' | 'group', id: number): Promise<string> {
  return (await tryRun('getent', [database, String(id)])).stdout.split(':')[0] || String(id)
}

/** A system user's ids. @throws where there is no such user. */
export async function systemUser(name: string): Promise<SystemUser> {
  const { stdout } = await tryRun('getent', ['passwd', name])
  const [, , uid, gid] = stdout.split(':')
  if (!uid || !gid)
    throw new UnderstudyError(
      EXIT.config,
      `there is no system user ${name}; install the package that makes it`,
    )
  return { uid: Number(uid), gid: Number(gid) }
}
