import { type ParseArgsConfig, parseArgs } from 'node:util'
import { explain, usageError } from './errors.ts'

/** The arguments of a script for people, whether Node runs it itself or zx does (`npx zx scripts/join.mjs ...`). */
export const commandArguments = (): string[] => process.argv.slice(process.argv[1]?.endsWith('zx') ? 3 : 2)

/**
 * As {@link parseArgs} of Node. @throws a usage error of one sentence that names the command's help: what Node says after its
 * first sentence is about arguments that start with a dash.
 */
export function parseArguments<T extends ParseArgsConfig>(
  command: string,
  config: T,
): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config)
  } catch (error) {
    throw usageError(`${explain(error).split(/\.\s/)[0]}; see ${command} --help`)
  }
}
