import { EXIT, type ExitCode, explain, UnderstudyError, usageError } from './errors.ts'
import { log } from './log.ts'
import { type Context, type Plan, type Reconciler, reconcile } from './reconciler.ts'
import { readSettings, requireSettings } from './settings.ts'

/** What the frame needs of a handler. */
export interface HandlerSpec<Event> {
  name: string
  /** Shown by --help: what the handler does, who calls it and with what. */
  help: string
  /** Overall deadline: a hung handler would silence its watch for ever. */
  timeoutMs: number
  /** Exit code on a machine that has not joined; without it that is an error. */
  unjoined?: ExitCode
  /** argv (without flags of the frame) -> an event. @throws a usage error. */
  parse(argv: readonly string[]): Event
  /** @returns the exit code, as the caller understands it. */
  run(event: Event, context: Context, options: { dryRun: boolean }): Promise<ExitCode>
}

/** Runs a handler as a process: the one frame around all of them. */
export function main<Event>(spec: HandlerSpec<Event>, argv: readonly string[] = process.argv.slice(2)): void {
  // A command of repmgrd that dies by a signal would count as success.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const)
    process.on(signal, () => process.exit(EXIT.retry))
  // The reader of our output may go away: that is no reason to stop half-way.
  process.stdout.on('error', () => {})
  process.stderr.on('error', () => {})
  setTimeout(() => {
    log(spec.name, { error: `gave up after ${spec.timeoutMs} ms` })
    process.exit(EXIT.retry)
  }, spec.timeoutMs).unref()
  execute(spec, argv).then(
    (code) => process.exit(code),
    (error: unknown) => {
      log(spec.name, { error: explain(error) })
      process.exit(error instanceof UnderstudyError ? error.exitCode : EXIT.failed)
    },
  )
}

async function execute<Event>(spec: HandlerSpec<Event>, argv: readonly string[]): Promise<ExitCode> {
  if (argv.includes('--help')) {
    process.stdout.write(`${spec.help.trim()}\n`)
    return EXIT.ok
  }
  const event = spec.parse(argv.filter((argument) => argument !== '--dry-run'))
  if (spec.unjoined !== undefined && readSettings() === null) return spec.unjoined
  const settings = requireSettings()
  // Loaded late: a wrong argument, and a handler that only starts a unit, do not need it.
  const { Consul } = await import('./world/consul.ts')
  const consul = new Consul({ prefix: settings.kvPrefix })
  return spec.run(event, { settings, consul }, { dryRun: argv.includes('--dry-run') })
}

/** How long an event that finds Consul silent waits for it: an election of Consul's leader takes some seconds. */
export const EVENT_PATIENCE_MS = 6000

/** A handler that takes no arguments and is one reconciler: look, decide, do, one log line. */
export function mainReconciler<Facts extends object, P extends Plan>(
  work: Reconciler<Facts, P>,
  help: string,
): void {
  main({
    name: work.name,
    help,
    timeoutMs: 20_000,
    parse: noArguments,
    async run(_event, context, options) {
      await runReconciler(work, context, { ...options, patienceMs: EVENT_PATIENCE_MS })
      return EXIT.ok
    },
  })
}

/** Looks, decides and does once, with one log line; or only says what it would do. @returns the plan. */
export async function runReconciler<Facts extends object, P extends Plan>(
  work: Reconciler<Facts, P>,
  context: Context,
  { dryRun, patienceMs = 0 }: { dryRun: boolean; patienceMs?: number },
): Promise<P> {
  if (dryRun) {
    const plan = work.decide(await work.observe(context))
    process.stdout.write(`${JSON.stringify(plan)}\n`)
    return plan
  }
  const started = performance.now()
  const plan = await reconcile(work, context, patienceMs)
  log(work.name, { do: plan.do, why: plan.why, ms: Math.round(performance.now() - started) })
  return plan
}

/** Parses the arguments of a handler that takes none. */
export function noArguments(argv: readonly string[]): void {
  const [extra] = argv
  if (extra !== undefined)
    throw usageError(`unexpected argument ${extra}; this handler takes none but --dry-run and --help`)
}
