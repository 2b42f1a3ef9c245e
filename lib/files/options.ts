import { parseArguments } from '../core/arguments.ts'
import { usageError } from '../core/errors.ts'
import type { MinCopies } from './decide-confirmation.ts'

interface Common {
  minCopies: MinCopies
  timeoutMs: number
  json: boolean
}

/** The arguments of `understudy files`. */
export type FilesCommand =
  | ({ verb: 'wait'; folder: string | null; path: string | null } & Common)
  | ({ verb: 'put'; source: string; destination: string } & Common)

const DEFAULT_SECONDS = 30
const LONGEST_SECONDS = 24 * 3600

/** @throws a usage error that says what is wrong and what to do. */
export function parseFilesCommand(argv: readonly string[]): FilesCommand {
  const [verb, ...args] = argv
  if (verb === 'wait') {
    const { values, positionals } = parse(args, { folder: { type: 'string' }, path: { type: 'string' } })
    const { folder = null, path = null } = values as { folder?: string; path?: string }
    if (positionals[0] !== undefined) throw unexpected(positionals[0])
    if (path !== null && !path.startsWith('/') && folder === null)
      throw usageError('--path must be absolute, or relative to the folder that --folder names')
    return { verb, folder, path, ...common(values) }
  }
  if (verb === 'put') {
    const { values, positionals } = parse(args, {})
    const [source, destination, ...more] = positionals
    if (source === undefined || destination === undefined)
      throw usageError('run understudy files put SOURCE DEST; see understudy files --help')
    if (more[0] !== undefined) throw unexpected(more[0])
    return { verb, source, destination, ...common(values) }
  }
  throw usageError(
    `run understudy files wait or put${verb === undefined ? '' : `, not ${verb}`}; see understudy files --help`,
  )
}

const unexpected = (argument: string): Error =>
  usageError(`unexpected argument ${argument}; see understudy files --help`)

type OptionValues = Readonly<Record<string, string | boolean | undefined>>

function parse(
  args: string[],
  own: Record<string, { type: 'string' }>,
): { values: OptionValues; positionals: string[] } {
  const options = {
    ...own,
    'min-copies': { type: 'string' },
    timeout: { type: 'string' },
    json: { type: 'boolean' },
  } as const
  const parsed = parseArguments('understudy files', { args, options, allowPositionals: true })
  return parsed as { values: OptionValues; positionals: string[] }
}

function common(values: OptionValues): Common {
  return {
    minCopies: parseCopies(String(values['min-copies'] ?? 'majority')),
    timeoutMs: parseSeconds(String(values['timeout'] ?? DEFAULT_SECONDS)),
    json: values['json'] === true,
  }
}

function parseCopies(text: string): MinCopies {
  if (text === 'all' || text === 'majority') return text
  if (/^\d{1,3}$/.test(text)) return Number(text)
  throw usageError(`--min-copies takes a number, all or majority, not "${text}"`)
}

function parseSeconds(text: string): number {
  const seconds = Number(text)
  if (text.trim() !== '' && seconds > 0 && seconds <= LONGEST_SECONDS) return seconds * 1000
  throw usageError(
    `--timeout takes a number of seconds, more than 0 and up to ${LONGEST_SECONDS}, not "${text}"`,
  )
}
