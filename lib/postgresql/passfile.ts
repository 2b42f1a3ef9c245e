import { readFileSync } from 'node:fs'
import { readText } from '../core/atomic-files.ts'
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
  return withoutEscapes(line.slice(start.length))
}

/** The passwords in a file that {@link renderPassfile} has written, by role; a file that is missing has none. */
export const knownPasswords = (path: string): Map<string, string> =>
  new Map(
    (readText(path) ?? '')
      .split('\n')
      .map((line) => /^\*:\*:\*:((?:[^:\\]|\\.)*):(.*)$/.exec(line))
      .filter((found) => found !== null)
      .map(([, user = '', password = '']) => [withoutEscapes(user), withoutEscapes(password)]),
  )

const withoutEscapes = (text: string): string => text.replace(/\\(.)/g, '$1')

function readPasswords(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new UnderstudyError(EXIT.config, `the passwords in ${path} cannot be read`, { cause })
  }
}
