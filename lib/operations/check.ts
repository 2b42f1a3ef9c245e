import { rmSync, writeFileSync } from 'node:fs'
import { uptime } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import type { Context } from '../consul/handler.ts'
import { trimHistory } from '../consul/history.ts'
import { replaceFile } from '../core/atomic-files.ts'
import { type CheckLine, type Component, wantedBy } from '../core/component.ts'
import { EXIT, explain, usageError } from '../core/errors.ts'
import { paths } from '../core/paths.ts'
import { keptQuestions } from '../core/questions.ts'
import type { Next } from '../core/reconciler.ts'
import { postgresqlPaths } from '../postgresql/manifest.ts'
import { checkLines } from './check-lines.ts'
import { decideCheck, LOOK_AGAIN_MS, type Looked, looksAgain, type MachinePlan } from './decide-check.ts'

/** A check of its own has this long: what is slow there must not cost the machine its check. */
const OWN_CHECK_MS = 4000

/**
 * One run of the periodic check: every line looks, then repairs. It looks again once, as a repair takes some seconds, and prints
 * what a person should know. Lines with a check of their own in Consul say it there.
 */
export function checkRun(components: readonly Component<Context>[]) {
  let round = 0
  let once = false
  let problems: readonly string[] = []
  let repairedMs = 0
  let settled = true
  const started = performance.now()
  /** Loaded by the first look: `--help` does not need them. */
  let lines: readonly CheckLine<Context>[] = []

  async function observe(context: Context): Promise<{ looked: Looked<Context>[] }> {
    if (lines.length === 0) lines = await checkLines(wantedBy(context.settings, components))
    const inUnderstudy = lines.filter(({ report }) => report === undefined)
    return { looked: await Promise.all(inUnderstudy.map((line) => look(line, context))) }
  }

  async function apply(plan: MachinePlan<Context>, context: Context): Promise<void> {
    round += 1
    writeHeartbeat()
    settled &&= round === 1 && plan.settled
    const repaired = Promise.all(plan.lines.map((line) => repair(line, context))).finally(() => {
      repairedMs = performance.now() - started
    })
    // What is reported to Consul is not asked for by whoever runs it once, and waits for Syncthing, which may have much to do.
    if (round === 1 && !once)
      await Promise.all([
        repaired,
        reportOwn(lines, context).then((isSettled) => {
          settled &&= isSettled
        }),
        trimHistory(context).catch(ignore),
      ])
    problems = (await repaired).flat()
  }

  function next(): Next {
    if (!once && looksAgain({ problems: problems.length, round, elapsedMs: repairedMs }))
      return { lookAgainMs: LOOK_AGAIN_MS }
    // Once is not everything: the next turn of Consul's check runs this again.
    keepQuestions(!once && settled && problems.length === 0)
    process.stdout.write(`${problems.join('\n') || 'no problem was found'}\n`)
    return { exitCode: problems.length > 0 ? EXIT.failed : EXIT.ok }
  }

  function parse(argv: readonly string[]): void {
    once = parseOnce(argv)
  }

  return { parse, observe, decide: decideCheck<Context>, apply, next }
}

/** @returns whether it looks only once: for whoever calls it again. */
function parseOnce(argv: readonly string[]): boolean {
  const once = argv[0] === '--once'
  const wrong = argv[once ? 1 : 0]
  if (wrong === undefined) return once
  throw usageError(`unexpected argument ${wrong}; this handler takes --once, --dry-run and --help`)
}

/** Lets `quick-check` ask the same instead of the next run, where that would have nothing to do either. */
function keepQuestions(settled: boolean): void {
  const questions = settled ? keptQuestions() : null
  if (questions === null) rmSync(paths.questions, { force: true })
  else replaceFile(paths.questions, questions)
}

/**
 * Lines with a check of their own in Consul say it there. They have a deadline together.
 * @returns whether all of them had nothing to say or to do.
 */
async function reportOwn(lines: readonly CheckLine<Context>[], context: Context): Promise<boolean> {
  const own = lines.filter(({ report }) => report !== undefined)
  const reported = Promise.all(own.map((line) => reportInConsul(line, context)))
  const settled = await Promise.race([reported, pause(OWN_CHECK_MS, [false], { ref: false })])
  return !settled.includes(false)
}

/**
 * `database-check` does the same every 1.5 s. If a hung disk stops it, the watchdog must not kill the agent. The file keeps its owner,
 * consul, whoever runs this.
 */
function writeHeartbeat(): void {
  try {
    writeFileSync(postgresqlPaths.heartbeat, `${Math.floor(uptime())}\n`, { flag: 'r+' })
  } catch {
    // The check goes on: it has more to do than this.
  }
}

/** What is only for convenience must not cost the machine its check; the next run tries again. */
const ignore = (): void => {}

async function look(line: CheckLine<Context>, context: Context): Promise<Looked<Context>> {
  try {
    return { line, seen: { facts: await line.observe(context, { elapsedMs: 0 }) } }
  } catch (error) {
    return { line, seen: { error: explain(error) } }
  }
}

/** @returns what a person should know; where the repair fails, that. */
async function repair(
  { line, plan }: MachinePlan<Context>['lines'][number],
  context: Context,
): Promise<readonly string[]> {
  try {
    await line.apply(plan, context)
    return plan.problems
  } catch (error) {
    return [`${line.name}: ${explain(error)}`]
  }
}

async function reportInConsul(line: CheckLine<Context>, context: Context): Promise<boolean> {
  const { lines, settled } = decideCheck({ looked: [await look(line, context)] })
  const problems = (await Promise.all(lines.map((decided) => repair(decided, context)))).flat()
  const status = problems.length === 0 ? 'passing' : 'warning'
  await context.consul
    .setCheck(line.report ?? '', status, problems.join('; ') || 'no problem was found')
    .catch(ignore)
  return settled && problems.length === 0
}
