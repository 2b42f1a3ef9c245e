// The manual page and the completion of bash, from what the commands say to --help.

/**
 * A part of a help text: a paragraph, or an item, which is an option, an exit code or a command line, and what is said about it.
 * @typedef {{ term: string | null, lines: string[] }} Block
 */
/** A command, with what it says to --help. @typedef {{ name: string, help: string }} Command */

/** Indented by two, with an explanation after two more spaces, or none. */
const ITEM = /^ {2}(\S.*?)(?: {2,}(\S.*))?$/

/** @param {string} help @returns {Block[]} */
export function parseHelp(help) {
  /** @type {Block[]} */
  const blocks = []
  /** The block that the next line may go on with. @type {Block | undefined} */
  let open
  for (const line of help.split('\n')) {
    const [, term, said] = ITEM.exec(line) ?? []
    if (line === '') open = undefined
    else if (term !== undefined) {
      open = { term, lines: said === undefined ? [] : [said] }
      blocks.push(open)
    } else if (open && (open.term === null || line.startsWith(' '))) open.lines.push(line.trim())
    else {
      open = { term: null, lines: [line.trim()] }
      blocks.push(open)
    }
  }
  return blocks
}

/** Text for troff, see groff_char(7): dashes stay dashes, and no line is taken for a request. @param {string} text */
const inTroff = (text) =>
  text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll("'", '\\(aq')
    .replaceAll('^', '\\(ha')
    .replaceAll('~', '\\(ti')
    .replaceAll('`', '\\(ga')
    .replace(/^\./, '\\&.')

/** Lines that begin with a value, as "fixed: ...", stay lines of their own. @param {string[]} lines */
const flow = (lines) =>
  lines.map((line, index) => `${index > 0 && /^[a-z-]+: /.test(line) ? '.br\n' : ''}${inTroff(line)}`)

/** @param {Block} block */
function renderBlock({ term, lines }) {
  if (term === null)
    return lines.at(-1)?.endsWith(':') ? ['.PP', `.B ${flow(lines).join(' ')}`] : ['.PP', ...flow(lines)]
  if (lines.length === 0) return ['.IP', '.nf', inTroff(term), '.fi']
  return ['.TP', `.B ${inTroff(term)}`, ...flow(lines)]
}

/**
 * understudy(8), see man-pages(7).
 * @param {string} help what `understudy --help` says
 * @param {readonly Command[]} commands
 * @param {{ version: string, description: string, builtMs: number }} about
 */
export function renderManual(help, commands, { version, description, builtMs }) {
  const date = new Date(builtMs).toISOString().slice(0, 10)
  const [, ...blocks] = parseHelp(help)
  const lines = commands.flatMap(({ name, help: own }) => {
    const [title, ...rest] = parseHelp(own)
    return [`.SH understudy ${name}`, ...flow(title?.lines ?? []), ...rest.flatMap(renderBlock)]
  })
  return [
    `.TH UNDERSTUDY 8 ${date} "understudy ${version}" "System administration"`,
    ...['.SH NAME', `understudy \\- ${inTroff(description)}`],
    ...['.SH SYNOPSIS', ...blocks.flatMap(renderBlock)],
    ...lines,
    '',
  ].join('\n')
}

/** The options of a command, and whether a value in capitals follows, by what is in its items. @param {string} help */
function optionsOf(help) {
  /** @type {Map<string, boolean>} */
  const found = new Map()
  for (const { term } of parseHelp(help))
    for (const [, option = '', value] of (term ?? '').matchAll(/(--[a-z]+(?:-[a-z]+)*)(?: ([A-Z]))?/g))
      found.set(option, found.get(option) || value !== undefined)
  return [...found].map(([option, takesValue]) => ({ option, takesValue }))
}

/** What can follow the name of a command: list, add, ... @param {Command} command */
const verbsOf = ({ name, help }) => [
  ...new Set(
    parseHelp(help).flatMap(
      ({ term }) => new RegExp(`^understudy ${name} ([a-z]+)\\b`).exec(term ?? '')?.[1] ?? [],
    ),
  ),
]

/**
 * Completion of bash: the commands, and for each its verbs and options; anything else is a file.
 * @param {string} help what `understudy --help` says
 * @param {readonly Command[]} commands
 */
export function renderCompletion(help, commands) {
  const own = [...help.matchAll(/--(?:help|version)\b/g)].map(([option]) => option)
  const cases = commands.map((command) => {
    const options = optionsOf(command.help)
    const valued = options.filter(({ takesValue }) => takesValue).map(({ option }) => option)
    return `    ${command.name})
      verbs='${verbsOf(command).join(' ')}'
      options='${options.map(({ option }) => option).join(' ')}'
      valued='${valued.join(' ')}'
      ;;
`
  })
  return `# Completion of bash for understudy(8), made from what the commands say to --help.
_understudy() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]} verbs options valued
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    mapfile -t COMPREPLY < <(compgen -W '${[...commands.map(({ name }) => name), ...new Set(own)].join(' ')}' -- "$word")
    return
  fi
  case \${COMP_WORDS[1]} in
${cases.join('')}    *) return ;;
  esac
  # The value of an option: a file, or nothing that is known.
  [[ " $valued " == *" $before "* ]] && return
  if [[ $word == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
  elif ((COMP_CWORD == 2)) && [[ -n $verbs ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$verbs" -- "$word")
  fi
}
complete -o default -F _understudy understudy
`
}
