/**
 * The settings at the top level of a configuration file of Consul, in JSON or HCL, by their names in lower case. Only a text, a
 * number or a yes and no has a value here; lists and blocks have the value null.
 * @throws where the text is neither.
 */
export function settingsIn(text: string): Map<string, string | null> {
  if (text.trim() === '') return new Map()
  if (text.trimStart().startsWith('{')) {
    const entries = Object.entries(JSON.parse(text) as object)
    return new Map(entries.map(([name, value]) => [name.toLowerCase(), plain(value)]))
  }
  return settingsInHcl(text)
}

const plain = (value: unknown): string | null => (typeof value === 'object' ? null : String(value))

/** What HCL is made of: https://github.com/hashicorp/hcl/tree/hcl1#syntax. */
const TOKEN =
  /\s+|#.*|\/\/.*|\/\*[\s\S]*?\*\/|<<-?(?<mark>\w+)\n[\s\S]*?\n[ \t]*\k<mark>(?=\s|$)|"(?<text>(?:[^"\\\n]|\\.)*)"|(?<word>[\w.+-]+)|(?<sign>[={}[\](),:])/y

function settingsInHcl(text: string): Map<string, string | null> {
  const found = new Map<string, string | null>()
  let depth = 0
  /** The setting whose value comes, and whether its "=" was there. */
  let name: string | null = null
  let assigned = false
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < text.length) {
    const match = TOKEN.exec(text)
    if (match === null) throw new Error('it is not valid HCL')
    const { text: quoted, word, sign, mark } = match.groups ?? {}
    const token = quoted ?? word ?? (mark === undefined ? sign : '')
    if (token === undefined) continue
    if (sign === undefined) {
      if (depth > 0) continue
      if (name === null) name = token.toLowerCase()
      else if (assigned) {
        found.set(name, token)
        name = null
        assigned = false
      }
    } else if (sign === '{' || sign === '[') {
      depth += 1
    } else if (sign === '}' || sign === ']') {
      depth -= 1
      if (depth === 0 && name !== null) {
        found.set(name, null)
        name = null
        assigned = false
      }
    } else if (sign === '=' && depth === 0) assigned = true
    if (depth < 0) throw new Error('a closing bracket has no opening bracket')
  }
  if (depth > 0 || name !== null) throw new Error('it ends in the middle of a setting')
  return found
}
