import type { ParseArgsConfig } from 'node:util'
import { parseArguments } from '../core/arguments.ts'
import { usageError } from '../core/errors.ts'
import { unitNameOf } from '../core/unit-name.ts'
import { checkProblem, nameProblem } from './decide-names.ts'
import type { Service } from './manifest.ts'

/** The arguments of `understudy services`. */
export type ServicesCommand =
  | { verb: 'add'; name: string; service: Service }
  | { verb: 'remove'; name: string }
  | { verb: 'list'; json: boolean }

const OPTIONS = {
  add: {
    unit: { type: 'string' },
    check: { type: 'string' },
    run: { type: 'string', default: 'everywhere' },
    'gives-way': { type: 'boolean', default: false },
    exclusive: { type: 'boolean', default: false },
  },
  remove: {},
  list: { json: { type: 'boolean' } },
} as const

/** @throws a usage error that says what is wrong and what to do. */
export function parseServicesCommand(argv: readonly string[]): ServicesCommand {
  const [verb, ...args] = argv
  if (verb !== 'add' && verb !== 'remove' && verb !== 'list') {
    const said = verb === undefined ? '' : `, not ${verb}`
    throw usageError(`run understudy services add, remove or list${said}; see understudy services --help`)
  }
  const { values, positionals } = parseArguments('understudy services', {
    ...{ args, allowPositionals: true },
    options: OPTIONS[verb] as NonNullable<ParseArgsConfig['options']>,
  })
  const [name, ...more] = positionals
  const extra = verb === 'list' ? name : more[0]
  if (extra !== undefined)
    throw usageError(`unexpected argument ${extra}; put a command in quotes; see understudy services --help`)
  if (verb === 'list') return { verb, json: values['json'] === true }
  if (name === undefined)
    throw usageError(`run understudy services ${verb} NAME; see understudy services --help`)
  const wrong = nameProblem(name)
  if (wrong !== null) throw usageError(wrong)
  return verb === 'remove' ? { verb, name } : { verb, name, service: serviceOf(values) }
}

function serviceOf(values: Record<string, unknown>): Service {
  const unit = values['unit'] as string | undefined
  if (unit === undefined || unit === '')
    throw usageError('name the unit of the service with --unit UNIT; see understudy services --help')
  const check = (values['check'] as string | undefined) ?? null
  const wrong = check === null ? null : checkProblem(check)
  if (wrong !== null) throw usageError(wrong)
  const run = values['run']
  if (run !== 'everywhere' && run !== 'active')
    throw usageError(`--run takes everywhere or active, not "${run}"`)
  const service = { unit: unitNameOf(unit), check, run, givesWay: values['gives-way'] === true } as const
  if (values['exclusive'] !== true) return service
  if (run !== 'active') throw usageError('--exclusive needs --run active')
  if (!service.unit.endsWith('.service'))
    throw usageError(`--exclusive takes a service of systemd, not ${service.unit}`)
  return { ...service, exclusive: true }
}
