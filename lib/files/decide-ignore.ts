/** Whether a pattern says that what it matches is ignored after all, and what it matches. */
interface IgnoreRule {
  ignored: boolean
  matches: RegExp
}

/**
 * Whether Syncthing ignores a path of a folder, see https://docs.syncthing.net/users/ignoring.html. Only for what Syncthing cannot
 * be asked about, as it never looks at it.
 */
export function ignoring(patterns: readonly string[]): (path: string) => boolean {
  const rules = patterns.map(ruleOf).filter((rule) => rule !== null)
  return (path) => rules.find(({ matches }) => matches.test(path))?.ignored ?? false
}

/** null for a comment, and for a pattern that is malformed. */
function ruleOf(pattern: string): IgnoreRule | null {
  if (pattern.startsWith('//')) return null
  const [, flags = '', rooted, glob = ''] = /^((?:!|\(\?[id]\))*)(\/?)(.*)$/s.exec(pattern) ?? []
  try {
    const text = `^${rooted ? '' : '(?:.*/)?'}${expressionOf(glob)}(?:/.*)?$`
    return { ignored: !flags.includes('!'), matches: new RegExp(text, flags.includes('i') ? 'siu' : 'su') }
  } catch {
    return null
  }
}

/** The regular expression of a glob. */
function expressionOf(glob: string): string {
  let depth = 0
  return glob.replace(/\\(.)|\*\*|\[[!^]?[^\]]+\]|./gsu, (token, escaped: string | undefined) => {
    if (escaped !== undefined) return literal(escaped)
    if (token === '**') return '.*'
    if (token === '*') return '[^/]*'
    if (token === '?') return '[^/]'
    if (token.length > 1 && token.startsWith('[')) return token.replace(/^\[!/, '[^')
    if (token === '{') depth += 1
    if (token === '}') depth -= 1
    if (token === '{') return '(?:'
    if (token === '}') return ')'
    return token === ',' && depth > 0 ? '|' : literal(token)
  })
}

const literal = (character: string): string => character.replace(/[\\^$.*+?()[\]{}|/]/, '\\$&')
