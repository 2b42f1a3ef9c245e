/** A setting of a search server: a text, or a list of them. */
export type Setting = string | readonly string[]

interface Level {
  indent: number
  /** What stands above it, with dots. */
  path: string
}

/**
 * The settings of a file of YAML by their names with dots, as a search server reads them: names with dots, or one below the other.
 * What else YAML has (anchors, texts of several lines, maps and lists of lists in braces) is rare in such a file, and not guessed at.
 * @returns the number of the first line that is not understood, where there is one.
 */
export function settingsIn(text: string): { settings: ReadonlyMap<string, Setting> } | { line: number } {
  const settings = new Map<string, Setting>()
  let levels: Level[] = []
  /** The name that a list or more names may follow, in the lines below it. */
  let open: Level | null = null
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = index + 1
    if (/^\s*(#|$)/.test(raw) || raw === '---') continue
    const [, blanks = '', rest = ''] = /^( *)(.*)$/.exec(raw) ?? []
    const indent = blanks.length
    if (/^-( |$)/.test(rest)) {
      const item = scalarIn(rest.slice(1).trim())
      if (open === null || indent < open.indent || typeof item !== 'string') return { line }
      const known = settings.get(open.path)
      settings.set(open.path, [...(Array.isArray(known) ? (known as string[]) : []), item])
      continue
    }
    const [, written = '', value] = /^("[^"]*"|'[^']*'|[\w.@-]+) *:(?: +(.*)|)$/.exec(rest) ?? []
    if (written === '') return { line }
    if (open !== null && indent > open.indent) levels.push(open)
    levels = levels.filter((level) => level.indent < indent)
    open = null
    const above = levels.at(-1)?.path
    const name = written.replace(/^["']|["']$/g, '')
    const path = above === undefined ? name : `${above}.${name}`
    if (settings.has(path)) return { line }
    const said = value === undefined ? null : scalarIn(value.trim())
    if (said === undefined) return { line }
    if (said === null) open = { indent, path }
    else settings.set(path, said)
  }
  return { settings }
}

/** @returns null where there is nothing, undefined where it is not understood. */
function scalarIn(text: string): Setting | null | undefined {
  if (text === '' || text.startsWith('#')) return null
  const [, quotedText] = /^(?:"([^"\\]*)")(?: +#.*)?$/.exec(text) ?? /^'([^']*)'(?: +#.*)?$/.exec(text) ?? []
  if (quotedText !== undefined) return quotedText
  const [, list] = /^\[([^[\]{}]*)\](?: +#.*)?$/.exec(text) ?? []
  if (list !== undefined) return listIn(list)
  const plain = text.replace(/ +#.*$/, '')
  // ${NAME} is a variable of the environment, which the server fills in.
  return /^[^"'[\]{}&*!|>%@`#,?-]|^\$\{|^-[\w.]/.test(plain) && !/: |:$/.test(plain) ? plain : undefined
}

function listIn(text: string): readonly string[] | undefined {
  if (text.trim() === '') return []
  const items = text.split(',').map((item) => scalarIn(item.trim()))
  return items.every((item) => typeof item === 'string') ? (items as string[]) : undefined
}
