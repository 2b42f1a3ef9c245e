import { parseArguments } from '../core/arguments.ts'
import { usageError } from '../core/errors.ts'
import { unitNameOf } from '../core/unit-name.ts'
import { TTL_S } from './decide-timing.ts'
import { taskPaths } from './manifest.ts'

/** The exit codes of a shell for a command that cannot be run, that is not there, and that was killed. */
export const SHELL = { notExecutable: 126, notFound: 127, killed: 137 } as const

export interface LockCommand {
  kind: 'lock'
  name: string
  timeoutMs: number
  ttlS: number
  argv: string[]
  /** Instead of a command, a unit of systemd runs while the lock is held; null: none. */
  unit: string | null
}

export interface RunOnceCommand {
  kind: 'once'
  name: string
  key: string
  retryUnknown: boolean
  argv: string[]
}

export interface OnceStatusCommand {
  kind: 'status'
  name: string
  /** null: all of them. */
  key: string | null
  json: boolean
}

const LONGEST_SECONDS = 24 * 3600
const LONGEST_KEY = 1024

/** @throws a usage error that says what is wrong and what to do. */
export function parseLockCommand(argv: readonly string[]): LockCommand {
  const command = 'understudy lock'
  const { args, rest } = argv.includes('--') ? splitCommand(command, argv) : { args: [...argv], rest: [] }
  const { values, positionals } = parseArguments(command, {
    args,
    allowPositionals: true,
    options: {
      timeout: { type: 'string', default: '0' },
      ttl: { type: 'string', default: String(TTL_S.default) },
      unit: { type: 'string' },
    },
  })
  const [name, extra] = positionals
  const { unit: given } = values
  if (rest.length === 0 && given === undefined)
    throw usageError(`say what to run, after --: ${command} ... -- COMMAND; see ${command} --help`)
  if (name === undefined) throw usageError(`name the lock: ${command} NAME -- COMMAND; see ${command} --help`)
  if (extra !== undefined)
    throw usageError(`unexpected argument ${extra}; COMMAND follows --; see ${command} --help`)
  if (rest.length > 0 && given !== undefined)
    throw usageError(`give either --unit or a COMMAND; see ${command} --help`)
  const unit = given === undefined ? null : checkUnit(given)
  return {
    kind: 'lock',
    name: checkName(name),
    timeoutMs: parseSeconds('--timeout', values.timeout, 0, LONGEST_SECONDS) * 1000,
    ttlS: parseSeconds('--ttl', values.ttl, TTL_S.least, TTL_S.most),
    argv: unit === null ? rest : [taskPaths.runUnit, unit],
    unit,
  }
}

/** @throws a usage error that says what is wrong and what to do. */
export function parseOnceCommand(argv: readonly string[]): RunOnceCommand | OnceStatusCommand {
  const command = 'understudy once'
  if (argv[0] === 'status') return parseStatus(argv.slice(1))
  const { args, rest } = splitCommand(command, argv)
  const { values, positionals } = parseArguments(command, {
    args,
    allowPositionals: true,
    options: { 'retry-unknown': { type: 'boolean', default: false } },
  })
  const [name, key, extra] = positionals
  if (name === undefined || key === undefined)
    throw usageError(`name the task: ${command} NAME KEY -- COMMAND; see ${command} --help`)
  if (extra !== undefined)
    throw usageError(`unexpected argument ${extra}; COMMAND follows --; see ${command} --help`)
  if (name === 'status')
    throw usageError(`a task cannot be named status, because ${command} status lists tasks`)
  return {
    kind: 'once',
    name: checkName(name),
    key: checkKey(key),
    retryUnknown: values['retry-unknown'],
    argv: rest,
  }
}

function parseStatus(args: string[]): OnceStatusCommand {
  const command = 'understudy once'
  const { values, positionals } = parseArguments(command, {
    args,
    allowPositionals: true,
    options: { json: { type: 'boolean', default: false } },
  })
  const [name, key = null, extra] = positionals
  if (name === undefined)
    throw usageError(`name the tasks to show: ${command} status NAME [KEY]; see ${command} --help`)
  if (extra !== undefined) throw usageError(`unexpected argument ${extra}; see ${command} --help`)
  return {
    kind: 'status',
    name: checkName(name),
    key: key === null ? null : checkKey(key),
    json: values.json,
  }
}

/** What follows the first -- is COMMAND, whatever it looks like. */
function splitCommand(command: string, argv: readonly string[]): { args: string[]; rest: string[] } {
  const at = argv.indexOf('--')
  const rest = at === -1 ? [] : argv.slice(at + 1)
  if (rest.length === 0 || rest[0] === '')
    throw usageError(`say what to run, after --: ${command} ... -- COMMAND; see ${command} --help`)
  return { args: argv.slice(0, at), rest }
}

function checkName(name: string): string {
  if (/^[a-z0-9][a-z0-9._-]{0,62}$/.test(name)) return name
  throw usageError(
    `a name consists of up to 63 characters from a-z, 0-9, ".", "_" and "-", and begins with a letter or digit; it cannot be ${JSON.stringify(name.slice(0, 80))}`,
  )
}

function checkUnit(text: string): string {
  const unit = unitNameOf(text)
  if (/^[A-Za-z0-9:_.\\@-]{1,240}\.service$/.test(unit) && !/@\.service$/.test(unit)) return unit
  throw usageError(`--unit takes the name of a service of systemd, not ${JSON.stringify(text.slice(0, 80))}`)
}

function checkKey(key: string): string {
  const bytes = Buffer.byteLength(key)
  if (bytes === 0) throw usageError('the key must not be empty')
  if (bytes > LONGEST_KEY)
    throw usageError(`a key has up to ${LONGEST_KEY} bytes, not ${bytes}; use a digest of it`)
  return key
}

function parseSeconds(option: string, text: string, least: number, most: number): number {
  const seconds = Number(text)
  if (text.trim() !== '' && seconds >= least && seconds <= most) return seconds
  throw usageError(`${option} takes a number of seconds from ${least} to ${most}, not "${text}"`)
}
