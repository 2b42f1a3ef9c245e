#!/usr/bin/env tsx
// npm run faults: clients write to a cluster while faults come and go. Exit 0 only if every promise
// was kept in every round.
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { chalk } from 'zx'
import { explain } from '../lib/core/errors.ts'
import { faultNamed } from '../test/lab/faults/catalogue.ts'
import { USUAL } from '../test/lab/faults/cluster-kind.ts'
import { figureLines, figuresOf } from '../test/lab/faults/figures.ts'
import { randomOf, seedOf } from '../test/lab/faults/random.ts'
import { randomScenario } from '../test/lab/faults/random-scenario.ts'
import { saveReport, timelineOf } from '../test/lab/faults/report.ts'
import { playRound } from '../test/lab/faults/round.ts'
import { byCluster } from '../test/lab/faults/scenario.ts'
import { scenarios } from '../test/lab/faults/scenarios.ts'
import { Stage } from '../test/lab/faults/stage.ts'
import { suites } from '../test/lab/lib/state.ts'

const help = `npm run faults -- [--minutes M] [--seed N] [--seeds N]
npm run faults -- --scenario NAME[,NAME...]
npm run faults -- --all
npm run faults -- --list

Starts a lab of three machines that are one cluster. Clients on every machine and in the network write all the time, while
random faults come and go, one or two at a time. After each round the cluster must recover by itself, every acknowledged row
must be there exactly once, and no two databases may have acknowledged rows at the same time.

  --minutes   starts new rounds for this many minutes (10)
  --seed      repeats the random faults of an earlier run; without it, a new seed is chosen and printed
  --seeds     shares the minutes among so many seeds, which follow one another (1)
  --scenario  plays these scenarios, one round each
  --all       plays every scenario, each on the kind of cluster that it is for: about an hour
  --list      lists the scenarios, and what happens in each; those with * are played by npm test
  --suite     trixie (Debian 13, the default) or bookworm (Debian 12)
  --json      prints the figures as JSON on stdout; the progress goes to stderr
  --keep      leaves the lab up at the end: npm run lab -- status --lab faults-run
  --lab       names the lab (faults-run); runs at the same time need different names
`

const LARGEST_SEED = 2 ** 32 - 1

let progress = console.log
const say = (/** @type {string} */ text) => progress(text)

class UsageError extends Error {}

/** @param {string} option @param {string} text @param {number} least @param {number} most */
function number(option, text, least, most) {
  const value = Number(text)
  if (text.trim() === '' || !(value >= least && value <= most))
    throw new UsageError(`${option} takes a number from ${least} to ${most}, not "${text}"`)
  return value
}

function parse() {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string' },
      minutes: { type: 'string', default: '10' },
      seeds: { type: 'string', default: '1' },
      scenario: { type: 'string' },
      all: { type: 'boolean', default: false },
      suite: { type: 'string', default: 'trixie' },
      json: { type: 'boolean', default: false },
      lab: { type: 'string', default: 'faults-run' },
      list: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  const seed =
    values.seed === undefined
      ? randomInt(LARGEST_SEED)
      : Math.trunc(number('--seed', values.seed, 0, LARGEST_SEED))
  const minutes = number('--minutes', values.minutes, 0, 10_000)
  const seeds = Math.trunc(number('--seeds', values.seeds, 1, 1000))
  const suite = suites.find((known) => known === values.suite)
  if (suite === undefined) throw new UsageError(`--suite takes ${suites.join(' or ')}`)
  if (values.all && values.scenario !== undefined) throw new UsageError('--all plays every scenario')
  const named = values.scenario?.split(',').map((name) => {
    const scenario = scenarios.find((one) => one.name === name)
    if (scenario === undefined) throw new UsageError(`there is no scenario "${name}"; --list lists them`)
    return scenario
  })
  return { ...values, seed, seeds, minutes, suite, chosen: values.all ? scenarios : named }
}

function list() {
  const width = Math.max(...scenarios.map(({ name }) => name.length))
  for (const { name, steps, primary, inTests, cluster } of scenarios) {
    const what = steps.map(({ fault, on }) => faultNamed(fault).what.replaceAll('$', `the ${on}`)).join('; ')
    const who = { same: 'the same machine', another: 'another machine', either: 'any machine' }[primary]
    const where = cluster === undefined ? '' : ` (${cluster.machines} machines, ${cluster.durability})`
    const mark = inTests === undefined ? ' ' : '*'
    say(`${mark} ${name.padEnd(width)}  ${what}; afterwards ${who} is the primary${where}`)
  }
}

/** @typedef {import('../test/lab/faults/scenario.ts').Scenario} Scenario */
/** @typedef {import('../test/lab/faults/random.ts').Random} Random */

/** Rounds on one kind of cluster, which is made anew after a round that has left it in disorder. */
class Rounds {
  /** @type {import('../test/lab/faults/figures.ts').Played[]} */
  static played = []
  /** @type {Stage | undefined} */
  #stage

  /** @param {Omit<import('../test/lab/faults/stage.ts').StageOptions, 'tell'>} options */
  constructor(options) {
    this.options = options
  }

  /**
   * Plays one round and prints its result.
   * @param {Scenario} scenario
   * @param {Random} random
   */
  async play(scenario, random) {
    const stage = this.#stage ?? (await Stage.open({ ...this.options, tell: say }))
    this.#stage = stage
    const outcome = await playRound(stage, scenario, random)
    Rounds.played.push({ scenario, outcome })
    const { violations, isUsable, gapMs, recoveryMs, primaries } = outcome
    if (violations.length > 0) {
      say(`\n${timelineOf(stage)}\n`)
      say(chalk.red(`${scenario.name}: a promise was broken; logs: ${await saveReport(stage)}`))
      for (const { rule, detail } of violations) say(chalk.red(`  ${rule}: ${detail}`))
      if (!isUsable) await this.close()
      return
    }
    const gap = `longest gap ${(gapMs / 1000).toFixed(1)} s`
    const recovery = `recovered ${((recoveryMs ?? 0) / 1000).toFixed(1)} s after healing began`
    say(
      `${chalk.green('ok')} ${scenario.name}: ${primaries.before} -> ${primaries.after}, ${gap}, ${recovery}`,
    )
  }

  async close(keep = false) {
    await this.#stage?.close(keep)
    this.#stage = undefined
  }
}

/** @param {ReturnType<typeof parse>} options */
async function run({ seed, seeds, minutes, suite, chosen, keep, lab }) {
  for (const [cluster, group] of chosen === undefined ? [] : byCluster(chosen)) {
    const rounds = new Rounds({ name: lab, suite, cluster })
    try {
      for (const scenario of group) await rounds.play(scenario, randomOf(seedOf(seed, scenario.name)))
    } finally {
      await rounds.close(keep)
    }
  }
  if (chosen !== undefined) return
  const rounds = new Rounds({ name: lab, suite, cluster: USUAL })
  try {
    for (let own = seed; own < seed + seeds; own++) {
      say(`seed ${own}`)
      const until = performance.now() + (minutes / seeds) * 60_000
      for (let round = 1; round === 1 || performance.now() < until; round++) {
        const random = randomOf(seedOf(own, `round ${round}`))
        await rounds.play(randomScenario(random, round), random)
      }
    }
  } finally {
    await rounds.close(keep)
  }
}

let exitCode = 0
try {
  const options = parse()
  if (options.help) process.stdout.write(help)
  else if (options.list) list()
  else {
    // What the lab says while it is made is progress as well.
    if (options.json) progress = console.error
    await run(options)
    const figures = figuresOf(Rounds.played)
    if (options.json) console.log(JSON.stringify({ seed: options.seed, suite: options.suite, ...figures }))
    else for (const line of figureLines(figures)) say(line)
    exitCode = figures.broken === 0 ? 0 : 1
  }
} catch (error) {
  const wrongUsage = error instanceof UsageError || (error instanceof TypeError && 'code' in error)
  process.stderr.write(
    `${chalk.red('faults')}: ${explain(error)}${wrongUsage ? '; see npm run faults -- --help' : ''}\n`,
  )
  exitCode = wrongUsage ? 64 : 1
}
process.exit(exitCode)
