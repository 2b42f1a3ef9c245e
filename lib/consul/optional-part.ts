import { parseArguments } from '../core/arguments.ts'
import { EXIT, UnderstudyError, usageError } from '../core/errors.ts'
import type { Consul } from './client.ts'
import { consulKeys, type PartMode } from './manifest.ts'
import type { Config } from './schemas.ts'

/** A part that a cluster has only where somebody asks for it. */
export interface OptionalPart {
  /** Its option of `understudy join`, its command, its setting, and its check in Consul. */
  name: 'rabbitmq' | 'search'
  /** What people call it. */
  title: string
  /** What it holds, which another mode would lose: a plural. */
  holds: string
}

const MODES: readonly string[] = ['local', 'clustered'] satisfies PartMode[]
const isMode = (text: string | undefined): text is PartMode => text !== undefined && MODES.includes(text)

/** @returns what an optional part is to be; undefined: the cluster has none. @throws a usage error. */
export function parsePartMode(option: string, value = 'off'): PartMode | undefined {
  if (value === 'off') return undefined
  if (isMode(value)) return value
  throw usageError(`--${option} takes ${['off', ...MODES].join(' or ')}, not ${value}`)
}

/**
 * The arguments of `understudy NAME enable MODE`.
 * @param options that it has as well, each with a value. @throws a usage error.
 */
export function parseEnable<Option extends string = never>(
  name: OptionalPart['name'],
  argv: readonly string[],
  options: readonly Option[] = [],
): { mode: PartMode; values: Partial<Record<Option, string>> } {
  const command = `understudy ${name}`
  const { positionals, values } = parseArguments(command, {
    ...{ args: [...argv], allowPositionals: true },
    options: Object.fromEntries(options.map((option) => [option, { type: 'string' as const }])),
  })
  const [verb, mode, extra] = positionals
  if (verb !== 'enable' || !isMode(mode))
    throw usageError(`run ${command} enable local, or clustered; see ${command} --help`)
  if (extra !== undefined) throw usageError(`unexpected argument ${extra}; see ${command} --help`)
  return { mode, values: values as Partial<Record<Option, string>> }
}

/** Nobody else changes the settings of a cluster but the same command on another member. */
const ATTEMPTS = 5

/**
 * Makes an optional part one of the cluster.
 * @param more settings that go with the mode. @throws where it is another one already, or the settings cannot be changed.
 */
export async function enablePart(
  consul: Consul,
  { name, title, holds }: OptionalPart,
  mode: PartMode,
  more: Partial<Config> = {},
): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const entry = await consul.get(consulKeys.config)
    if (entry === null) throw new UnderstudyError(EXIT.data, "Consul's key config is missing")
    const known = entry.value[name]
    if (known === mode) return
    if (known !== undefined)
      throw new UnderstudyError(
        EXIT.config,
        `${title} is ${known} in this cluster, and its ${holds} cannot become ${mode} ones`,
      )
    if (await consul.compareAndSet(consulKeys.config, { ...entry.value, ...more, [name]: mode }, entry))
      return
  }
  throw new UnderstudyError(EXIT.retry, 'other machines kept changing the settings of the cluster; try again')
}
