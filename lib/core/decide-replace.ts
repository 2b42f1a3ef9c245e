import { createHash } from 'node:crypto'

/** A configuration file that a join replaces, before it does. */
export interface FoundFile {
  path: string
  /** null where there is none. */
  text: string | null
  /** Of the file in its package, by dpkg; null where no package has it. */
  md5: string | null
  /** Has an earlier join written it? By its header, unless it has none. */
  isOurs?: (text: string) => boolean
}

const hasOurHeader = (text: string): boolean => /^(#|;;) Written by understudy\./.test(text)

/** Is every line empty, or a comment of keepalived, PgBouncer or repmgr? */
const isWithoutEffect = (text: string): boolean =>
  text.split('\n').every((line) => /^\s*([#;!]|$)/.test(line))

/** Why a join must not replace a file, in one sentence; null where nobody misses what is in it. */
export function whyNotReplace({ path, text, md5, isOurs = hasOurHeader }: FoundFile): string | null {
  if (text === null || isOurs(text) || isWithoutEffect(text)) return null
  if (createHash('md5').update(text).digest('hex') === md5) return null
  return `${path} has settings of somebody else, which joining would replace; move it away first, if nobody needs them, or take another machine`
}
