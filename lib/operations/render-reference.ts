import type { Component } from '../core/component.ts'

type Documented = Pick<Component<never>, 'handlers' | 'keysAbout' | 'ports' | 'filesAbout'>

/** The generated parts of docs/reference/README.md, from the manifests of the components, by the name of their marker. */
export const renderReference = (components: readonly Documented[]): Record<string, string> => ({
  // A list: a table would be too wide.
  handlers: components
    .flatMap(({ handlers }) =>
      handlers.map(
        ({ name, user, calledBy, does }) =>
          `- **${code(name)}** (${user}; called by ${calledBy.replaceAll('; ', ', ')}): ${does}.`,
      ),
    )
    .join('\n'),
  keys: table(
    ['key', 'what it holds', 'written by'],
    components.flatMap(({ keysAbout }) =>
      keysAbout.map(({ key, holds, writtenBy }) => [code(key), holds, writtenBy]),
    ),
  ),
  ports: table(
    ['port', 'what', 'reachable from'],
    components.flatMap(({ ports }) => ports.map(({ port, what, from }) => [port, what, from])),
  ),
  files: table(
    ['path', 'what it holds'],
    components.flatMap(({ filesAbout }) => filesAbout.map(({ path, holds }) => [code(path), holds])),
  ),
})

const code = (text: string): string => (text.includes('`') ? text : `\`${text}\``)

/** A table of Markdown, with its columns aligned. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  )
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n')
}

/** A page with its generated parts renewed. @throws where a part has no place in it. */
export function renewPage(page: string, parts: Readonly<Record<string, string>>): string {
  let renewed = page
  for (const [name, text] of Object.entries(parts)) {
    const place = new RegExp(`(<!-- generated: ${name} -->)[\\s\\S]*?(<!-- /generated -->)`)
    if (!place.test(renewed)) throw new Error(`the page has no place for the generated part ${name}`)
    renewed = renewed.replace(place, (_all, start: string, end: string) => `${start}\n\n${text}\n\n${end}`)
  }
  return renewed
}
