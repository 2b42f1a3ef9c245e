import type { RabbitmqMode } from '../consul/manifest.ts'
import { parseArguments } from '../core/arguments.ts'
import { usageError } from '../core/errors.ts'

/** @returns what RabbitMQ is to be, from the arguments of `understudy rabbitmq`. @throws a usage error. */
export function parseRabbitmqCommand(argv: readonly string[]): { verb: 'enable'; mode: RabbitmqMode } {
  const { positionals } = parseArguments('understudy rabbitmq', { args: [...argv], allowPositionals: true })
  const [verb, mode, extra] = positionals
  if (verb !== 'enable' || (mode !== 'local' && mode !== 'clustered'))
    throw usageError('run understudy rabbitmq enable local, or clustered; see understudy rabbitmq --help')
  if (extra !== undefined) throw usageError(`unexpected argument ${extra}; see understudy rabbitmq --help`)
  return { verb, mode }
}
