import { parseArguments } from '../core/arguments.ts'
import { usageError } from '../core/errors.ts'

/** What a person wants to read, as journalctl(1) understands it. */
export interface LogsCommand {
  machine: string | null
  unit: string | null
  since: string | null
  lines: number | null
  follow: boolean
  json: boolean
}

const SOME_LINES = 100

/** A time before now begins with a minus sign (systemd.time(7)), which Node would take for an option. */
const withRelativeTimes = (argv: readonly string[]): string[] =>
  argv.flatMap((argument, index) => {
    if (/^-\d/.test(argument) && isSince(argv[index - 1])) return []
    const next = argv[index + 1]
    return isSince(argument) && next !== undefined && /^-\d/.test(next) ? [`--since=${next}`] : [argument]
  })

const isSince = (argument: string | undefined): boolean => argument === '--since' || argument === '-S'

/** @throws a usage error that says what is wrong and what to do. */
export function parseLogsCommand(argv: readonly string[]): LogsCommand {
  const { values } = parseArguments('understudy logs', {
    args: withRelativeTimes(argv),
    allowPositionals: false,
    options: {
      machine: { type: 'string', short: 'm' },
      unit: { type: 'string', short: 'u' },
      since: { type: 'string', short: 'S' },
      lines: { type: 'string', short: 'n' },
      follow: { type: 'boolean', short: 'f', default: false },
      json: { type: 'boolean', default: false },
    },
  })
  const { machine = null, unit = null, since = null, lines, follow, json } = values
  for (const [name, value] of Object.entries({ machine, unit, since }))
    if (value === '') throw usageError(`--${name} needs a value; see understudy logs --help`)
  if (lines !== undefined && !/^\d{1,9}$/.test(lines))
    throw usageError(`--lines takes a number, not "${lines}"`)
  return { machine, unit, since, lines: lines === undefined ? null : Number(lines), follow, json }
}

/**
 * The machines' host names in the journal that a name stands for. A member is called by the first part of its host name.
 * @throws one sentence with the names that there are.
 */
export function hostNamesOf(machine: string, known: readonly string[]): string[] {
  const found = known.filter((host) => host === machine || host.split('.')[0] === machine)
  if (found.length > 0) return found
  const names = [...new Set(known.map((host) => host.split('.')[0] ?? host))].sort()
  throw usageError(
    `this machine has no log of ${machine}; it has logs of ${names.join(', ') || 'no machine'}`,
  )
}

/** The arguments of journalctl(1). Matches of one field are alternatives; those of several must all apply. */
export function journalctlArguments(
  { unit, since, lines, follow, json }: LogsCommand,
  hostNames: readonly string[],
): string[] {
  // With a time from which on, all of it is wanted; else as much as a person reads.
  const count = lines ?? (since === null ? SOME_LINES : null)
  return [
    '--merge',
    ...(count === null ? [] : [`--lines=${count}`]),
    ...(since === null ? [] : [`--since=${since}`]),
    ...(unit === null ? [] : [`--unit=${unit}`]),
    ...(follow ? ['--follow'] : []),
    ...(json ? ['--output=json'] : []),
    ...hostNames.map((host) => `_HOSTNAME=${host}`),
  ]
}
