import { EXIT, UnderstudyError } from '../errors.ts'
import { tryRun } from './exec.ts'

export interface SystemUser {
  uid: number
  gid: number
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
