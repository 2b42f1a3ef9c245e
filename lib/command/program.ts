import { lstatSync, realpathSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Why a program must not be called, in words that follow its name; null where it may be. Whoever may write the program, or a directory
 * above it, decides what runs here.
 */
export function whyUnsafe(program: string): string | null {
  let path: string
  try {
    path = realpathSync(program)
  } catch {
    return 'is not there'
  }
  if (!statSync(path).isFile()) return 'is not a file'
  if ((statSync(path).mode & 0o001) === 0) return 'is not executable by everybody (chmod 755)'
  for (const start of [program, path]) {
    for (let part = start; ; part = dirname(part)) {
      const { uid, mode } = lstatSync(part)
      if (uid !== 0) return `can be changed by somebody other than root: ${part} does not belong to root`
      // The mode of a link means nothing.
      if ((mode & 0o022) !== 0 && !lstatSync(part).isSymbolicLink())
        return `can be changed by somebody other than root: other users can write to ${part}`
      if (part === dirname(part)) break
    }
  }
  return null
}
