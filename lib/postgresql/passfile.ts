import { readFileSync } from 'node:fs'
import { EXIT, UnderstudyError } from '../core/errors.ts'

/**
 * The password of a user from the file that PGPASSFILE names, as libpq would find it. Only the lines that
 * {@link renderPassfile} writes are understood: any host, port and database.
 */
export function passwordFromFile(user: string): string {
  const path = process.env['PGPASSFILE']
  if (path === undefined)
    throw new UnderstudyError(EXIT.config, `there is no password for ${user}: PGPASSFILE is not set`)
  const start = `*:*:*:${user}:`
  const line = readPasswords(path)
    .split('\n')
    .find((text) => text.startsWith(start))
  if (line === undefined) throw new UnderstudyError(EXIT.config, `${path} has no password for ${user}`)
  return line.slice(start.length).replace(/\\(.)/g, '$1')
}

function readPasswords(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new UnderstudyError(EXIT.config, `the passwords in ${path} cannot be read`, { cause })
  }
}
