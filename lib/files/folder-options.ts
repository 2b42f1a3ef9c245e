import type { ParseArgsConfig } from 'node:util'
import { parseArguments } from '../core/arguments.ts'
import { usageError } from '../core/errors.ts'
import { ignoreProblem, labelProblem } from './decide-folders.ts'

/** The arguments of `understudy folders`. */
export type FoldersCommand =
  | {
      verb: 'add'
      path: string
      label: string | null
      ignore: string[]
      versioning: boolean
      mergeFiles: boolean
    }
  | { verb: 'remove'; what: string }
  | { verb: 'list'; json: boolean }

const OPTIONS = {
  add: {
    label: { type: 'string' },
    ignore: { type: 'string', multiple: true },
    versioning: { type: 'boolean' },
    'merge-files': { type: 'boolean' },
  },
  remove: {},
  list: { json: { type: 'boolean' } },
} as const

/** @throws a usage error that says what is wrong and what to do. */
export function parseFoldersCommand(argv: readonly string[]): FoldersCommand {
  const [verb, ...args] = argv
  if (verb !== 'add' && verb !== 'remove' && verb !== 'list') {
    const said = verb === undefined ? '' : `, not ${verb}`
    throw usageError(`run understudy folders add, remove or list${said}; see understudy folders --help`)
  }
  const { values, positionals } = parseArguments('understudy folders', {
    ...{ args, allowPositionals: true },
    options: OPTIONS[verb] as NonNullable<ParseArgsConfig['options']>,
  })
  const [what, ...more] = positionals
  const extra = verb === 'list' ? what : more[0]
  if (extra !== undefined) throw usageError(`unexpected argument ${extra}; see understudy folders --help`)
  if (verb === 'list') return { verb, json: values['json'] === true }
  if (what === undefined) {
    throw usageError(
      `run understudy folders ${verb} ${verb === 'add' ? 'PATH' : 'LABEL'}; see understudy folders --help`,
    )
  }
  if (verb === 'remove') return { verb, what }
  const label = (values['label'] as string | undefined) ?? null
  const ignore = (values['ignore'] as string[] | undefined) ?? []
  const wrong =
    (label === null ? null : labelProblem(label)) ?? ignore.map(ignoreProblem).find((one) => one !== null)
  if (wrong) throw usageError(wrong)
  return {
    ...{ verb, path: what, label, ignore },
    versioning: values['versioning'] === true,
    mergeFiles: values['merge-files'] === true,
  }
}
