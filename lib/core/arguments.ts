import { type ParseArgsConfig, parseArgs } from 'node:util'
import { EXIT, explain, UnderstudyError, usageError } from './errors.ts'

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

/** Runs a command for people to its end: prints its help, or does the work; an error is one sentence and its exit code. */
export async function runCommand(
  command: string,
  help: string,
  work: (argv: string[]) => Promise<void>,
): Promise<never> {
  const argv = commandArguments()
  try {
    if (argv.includes('--help')) process.stdout.write(help)
    else await work(argv)
  } catch (error) {
    process.stderr.write(`${command}: ${explain(error)}\n`)
    process.exit(error instanceof UnderstudyError ? error.exitCode : EXIT.failed)
  }
  process.exit()
}
