import { parseArguments } from '../core/arguments.ts'
import { usageError } from '../core/errors.ts'

/** The arguments of `understudy databases`. */
export type DatabasesCommand =
  | { verb: 'list'; json: boolean }
  | { verb: 'add' | 'remove'; names: string[] }
  | { verb: 'set'; changes: Record<string, string> }

/** @throws a usage error that says what is wrong and what to do. */
export function parseDatabasesCommand(argv: readonly string[]): DatabasesCommand {
  const [verb, ...args] = argv
  if (verb !== 'list' && verb !== 'add' && verb !== 'remove' && verb !== 'set') {
    const said = verb === undefined ? '' : `, not ${verb}`
    throw usageError(
      `run understudy databases list, add, remove or set${said}; see understudy databases --help`,
    )
  }
  const { values, positionals } = parseArguments('understudy databases', {
    ...{ args, allowPositionals: true },
    options: { json: { type: 'boolean' } },
  })
  if (verb === 'list') {
    if (positionals[0] !== undefined)
      throw usageError(`unexpected argument ${positionals[0]}; see understudy databases --help`)
    return { verb, json: values.json === true }
  }
  if (values.json) throw usageError('--json is for list; see understudy databases --help')
  if (positionals.length === 0)
    throw usageError(
      `run understudy databases ${verb} ${verb === 'set' ? 'NAME=VALUE' : 'DATABASE'}; see understudy databases --help`,
    )
  if (verb !== 'set') return { verb, names: positionals }
  const wrong = positionals.find((one) => !one.includes('='))
  if (wrong !== undefined) throw usageError(`set takes NAME=VALUE, not ${wrong}`)
  const changes = positionals.map((one) => {
    const at = one.indexOf('=')
    return [one.slice(0, at), one.slice(at + 1).trim()] as const
  })
  return { verb, changes: Object.fromEntries(changes) }
}
