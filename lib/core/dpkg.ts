import { execQuick } from './exec-quick.ts'

/** Both read files of the system and answer in some milliseconds; a busy disk may take seconds. */
const ASK_MS = 5000

/** Is dpkg at work on this package? Not where a dpkg that was broken off has left it half installed: nobody would end that. */
export async function isReplaced(name: string): Promise<boolean> {
  const dpkg = await execQuick('/usr/bin/pgrep', ['--exact', 'dpkg'], ASK_MS)
  if (dpkg.exitCode !== 0) return false
  const { exitCode, stdout } = await execQuick('/usr/bin/dpkg-query', ['--status', name], ASK_MS)
  // A package that dpkg does not know is nothing that it replaces.
  return exitCode === 0 && !/^Status: .* installed$/m.test(stdout)
}
