import { existsSync } from 'node:fs'
import type { PackageNeeded } from './component.ts'
import { EXIT, UnderstudyError } from './errors.ts'

/** Those of Debian's packages whose programs are not there. */
export const missingPackages = (
  needed: readonly PackageNeeded[],
  exists: (program: string) => boolean = existsSync,
): string[] =>
  needed
    .filter(({ program }) => program !== undefined && !exists(program))
    .map((dependency) => dependency.package)

/** @throws one sentence where packages are missing. */
export function refuseMissing(missing: readonly string[]): void {
  if (missing.length === 0) return
  throw new UnderstudyError(
    EXIT.config,
    `these packages are missing: ${missing.join(', ')}; install them first (apt install ${missing.join(' ')})`,
  )
}
