import { readText } from './atomic-files.ts'
import { type FoundFile, whyNotReplace } from './decide-replace.ts'
import { readConffiles } from './dpkg.ts'
import { EXIT, UnderstudyError } from './errors.ts'

/**
 * @param packageName the package that the files belong to.
 * @throws one sentence where one of the files that a join replaces has settings of an operator.
 */
export async function checkReplaced(
  packageName: string,
  files: readonly Pick<FoundFile, 'path' | 'isOurs'>[],
): Promise<void> {
  const shipped = await readConffiles(packageName)
  for (const file of files) {
    const { path } = file
    const why = whyNotReplace({ ...file, text: readText(path), md5: shipped.get(path) ?? null })
    if (why !== null) throw new UnderstudyError(EXIT.config, why)
  }
}
