import { readFileSync, statSync } from 'node:fs'
import { execQuick } from './exec-quick.ts'

/** dpkg-query reads one file and answers in some milliseconds; a busy disk may take seconds. */
const ASK_MS = 5000
/** Held by dpkg as long as it changes anything. */
const LOCK = '/var/lib/dpkg/lock'

/** Is somebody's lock on the file with this inode among these? @param locks what /proc/locks holds, see proc(5). */
export const isLocked = (locks: string, inode: number): boolean =>
  locks.split('\n').some((line) => !line.includes('->') && line.includes(`:${inode} `))

/** Does dpkg run? */
function isAtWork(): boolean {
  const lock = statSync(LOCK, { throwIfNoEntry: false })
  return lock !== undefined && isLocked(readFileSync('/proc/locks', 'utf8'), lock.ino)
}

/** The configuration files of a package and their MD5 sums. @param said what dpkg-query(1) prints as Conffiles. */
export const conffilesIn = (said: string): Map<string, string> =>
  new Map(
    [...said.matchAll(/^ (\S+) ([0-9a-f]{32})( obsolete)?$/gm)].map(([, path = '', md5 = '']) => [path, md5]),
  )

/** As the package brought them; none of one that dpkg does not know. */
export async function readConffiles(name: string): Promise<Map<string, string>> {
  const argv = ['--show', `--showformat=\${Conffiles}\n`, name]
  const { exitCode, stdout } = await execQuick('/usr/bin/dpkg-query', argv, ASK_MS)
  return conffilesIn(exitCode === 0 ? stdout : '')
}

/** Is dpkg at work on this package? Not where a dpkg that was broken off has left it half installed: nobody would end that. */
export async function isReplaced(name: string): Promise<boolean> {
  if (!isAtWork()) return false
  try {
    const { exitCode, stdout } = await execQuick('/usr/bin/dpkg-query', ['--status', name], ASK_MS)
    // A package that dpkg does not know is nothing that it replaces.
    return exitCode === 0 && !/^Status: .* installed$/m.test(stdout)
  } catch {
    // dpkg ends by itself: until then nothing is started on a guess.
    return true
  }
}
