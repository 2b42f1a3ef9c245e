import { type ParseArgsConfig, parseArgs } from 'node:util'
import { EXIT, explain, UnderstudyError, usageError } from './errors.ts'

/** The arguments of a script for people, whether Node runs it itself or zx does (`npx zx scripts/join.mjs ...`). */
const commandArguments = (): string[] => process.argv.slice(process.argv[1]?.endsWith('zx') ? 3 : 2)

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

/** The reader of a pipe has gone, or the terminal has. */
const hasNoReader = (error: unknown): boolean =>
  ['EPIPE', 'EIO'].includes((error as NodeJS.ErrnoException).code ?? '')

/** Says in one sentence why a command has failed, and ends it. */
function fail(command: string, error: unknown): never {
  process.stderr.write(`${command}: ${explain(error)}\n`)
  process.exit(error instanceof UnderstudyError ? error.exitCode : EXIT.failed)
}

/** From now on, a reader that goes away (head, a lost terminal) does not end the work; any other failed write does. */
export function outliveReaders(command: string): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error) => {
      if (!hasNoReader(error)) fail(command, error)
    })
}

/**
 * Runs a command for people to its end: prints its help, or does the work, which may return an exit code; an error is one
 * sentence and its exit code. Work that has nothing left to do without a reader may throw what its write does.
 * @param options.lendsOutput another program writes to our output: it is left alone, as Node makes a pipe that it looks at
 * non-blocking for everybody.
 */
export async function runCommand(
  command: string,
  help: string,
  // biome-ignore lint/suspicious/noConfusingVoidType: most commands return nothing.
  work: (argv: string[]) => Promise<number | void>,
  { lendsOutput = false }: { lendsOutput?: boolean } = {},
): Promise<never> {
  const argv = commandArguments()
  if (!lendsOutput) outliveReaders(command)
  let exitCode: number | undefined
  try {
    // What follows -- is the command line of another program.
    const own = argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv
    if (own.includes('--help') || own.includes('-h')) process.stdout.write(help)
    else exitCode = (await work(argv)) ?? EXIT.ok
  } catch (error) {
    if (!hasNoReader(error)) fail(command, error)
  }
  // Ended by hand: a connection to a silent machine would keep the process alive until TCP gives up.
  process.exit(exitCode)
}
