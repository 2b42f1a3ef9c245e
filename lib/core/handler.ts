import { EXIT, type ExitCode, explain, UnderstudyError, usageError } from './errors.ts'
import { log } from './log.ts'
import { type Next, type Plan, type Reconciler, type Run, reconcile, type Step } from './reconciler.ts'
import { readSettings, requireSettings, type Settings } from './settings.ts'
import { unknownInJson } from './unknown.ts'

/** A handler: parse, observe, decide, apply, and what the frame needs beside them. */
export interface Handler<Event, Context, Facts extends object, P extends Plan> {
  /** The same in file, lock, log and unit. */
  name: string
  /** Shown by --help: what the handler does, who calls it and with what. */
  help: string
  /** See {@link Reconciler}. */
  silent?: true
  /** Overall deadline: a hung handler would silence its watch for ever. */
  timeoutMs: number
  /** Exit code on a machine that has not joined; without it that is an error. */
  unjoined?: ExitCode
  /** What the steps work with, opened once the arguments are right. */
  context(settings: Settings): Promise<Context>
  /** Arguments (without flags of the frame) -> an event. @throws a usage error. */
  parse(argv: readonly string[]): Event
  observe(context: Context, run: Run, event: Event): Promise<Facts>
  decide(facts: Facts): P
  apply(plan: P, context: Context): Promise<void>
  /** Without it a run ends after one step, with 0. */
  next?(step: Step<Facts, P>, event: Event): Next
}

/** Runs a handler as a process: the one frame around all of them. */
export function main<Event, Context, Facts extends object, P extends Plan>(
  handler: Handler<Event, Context, Facts, P>,
  argv: readonly string[] = process.argv.slice(2),
): void {
  // A command of repmgrd that dies by a signal would count as success.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const)
    process.on(signal, () => process.exit(EXIT.retry))
  // The reader of our output may go away: that is no reason to stop half-way.
  process.stdout.on('error', () => {})
  process.stderr.on('error', () => {})
  setTimeout(() => {
    log(handler.name, { error: `gave up after ${handler.timeoutMs} ms` })
    process.exit(EXIT.retry)
  }, handler.timeoutMs).unref()
  execute(handler, argv).then(
    (code) => process.exit(code),
    (error: unknown) => {
      log(handler.name, { error: explain(error) })
      process.exit(error instanceof UnderstudyError ? error.exitCode : EXIT.failed)
    },
  )
}

async function execute<Event, Context, Facts extends object, P extends Plan>(
  handler: Handler<Event, Context, Facts, P>,
  argv: readonly string[],
): Promise<ExitCode> {
  if (argv.includes('--help')) {
    process.stdout.write(`${handler.help.trim()}\n`)
    return EXIT.ok
  }
  const event = handler.parse(argv.filter((argument) => argument !== '--dry-run'))
  if (handler.unjoined !== undefined && readSettings() === null) return handler.unjoined
  const context = await handler.context(requireSettings())
  const { name, silent, decide, apply, next } = handler
  const observe = (from: Context, run: Run): Promise<Facts> => handler.observe(from, run, event)
  if (argv.includes('--dry-run')) {
    const plan = decide(await observe(context, { elapsedMs: 0 }))
    process.stdout.write(`${JSON.stringify(plan, unknownInJson)}\n`)
    return EXIT.ok
  }
  const steps = { name, ...(silent ? { silent } : {}), observe, decide, apply }
  const after = next && ((step: Step<Facts, P>): Next => next(step, event))
  return (await reconcile(steps, context, after)).exitCode
}

/** Parses the arguments of a handler that takes none. */
export function noArguments(argv: readonly string[]): void {
  const [extra] = argv
  if (extra !== undefined)
    throw usageError(`unexpected argument ${extra}; this handler takes none but --dry-run and --help`)
}
