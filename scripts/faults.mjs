#!/usr/bin/env tsx
// npm run faults: clients write to a cluster of three machines while faults come and go. Exit 0 only if every promise
// was kept in every round.
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { chalk } from 'zx'
import { explain } from '../lib/core/errors.ts'
import { faultNamed } from '../test/lab/faults/catalogue.ts'
import { randomOf, seedOf } from '../test/lab/faults/random.ts'
import { randomScenario } from '../test/lab/faults/random-scenario.ts'
import { saveReport, timelineOf } from '../test/lab/faults/report.ts'
import { playRound } from '../test/lab/faults/round.ts'
import { scenarios } from '../test/lab/faults/scenarios.ts'
import { Stage } from '../test/lab/faults/stage.ts'

const help = `npm run faults -- [--seed N] [--minutes M] [--scenario NAME] [--keep] [--lab NAME]
npm run faults -- --list

Starts a lab of three machines that are one cluster. Clients on every machine and in the network write all the time, while
random faults come and go, one or two at a time. After each round the cluster must recover by itself, every acknowledged row
must be there exactly once, and no two databases may have acknowledged rows at the same time.

  --seed      repeats the random faults of an earlier run; without it, a new seed is chosen and printed
  --minutes   starts new rounds for this many minutes (10)
  --scenario  plays one round: the scenario of this name
  --list      lists the scenarios, and what happens in each
  --keep      leaves the lab up at the end: npm run lab -- status --lab faults-run
  --lab       names the lab (faults-run); runs at the same time need different names
`

const LARGEST_SEED = 2 ** 32 - 1

const say = (/** @type {string} */ text) => console.log(text)

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
      scenario: { type: 'string' },
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
  const scenario = scenarios.find(({ name }) => name === values.scenario)
  if (values.scenario !== undefined && scenario === undefined)
    throw new UsageError(`there is no scenario "${values.scenario}"; --list lists them`)
  return { ...values, seed, minutes, scenario }
}

function list() {
  const width = Math.max(...scenarios.map(({ name }) => name.length))
  for (const { name, steps, primary } of scenarios) {
    const what = steps.map(({ fault, on }) => faultNamed(fault).what.replaceAll('$', `the ${on}`)).join('; ')
    say(
      `${name.padEnd(width)}  ${what}; afterwards ${primary === 'either' ? 'any machine is' : `${primary === 'same' ? 'the same' : 'another'} machine is`} the primary`,
    )
  }
}

/**
 * Plays one round and prints its result.
 * @param {Stage} stage
 * @param {import('../test/lab/faults/scenario.ts').Scenario} scenario
 * @param {import('../test/lab/faults/random.ts').Random} random
 */
async function play(stage, scenario, random) {
  const { violations, gapMs, recoveryMs, primaries } = await playRound(stage, scenario, random)
  if (violations.length > 0) {
    say(`\n${timelineOf(stage)}\n`)
    say(chalk.red(`${scenario.name}: a promise was broken; logs: ${await saveReport(stage)}`))
    for (const { rule, detail } of violations) say(chalk.red(`  ${rule}: ${detail}`))
    return false
  }
  const recovered =
    recoveryMs === null ? '' : `, recovered ${(recoveryMs / 1000).toFixed(1)} s after healing began`
  say(
    `${chalk.green('ok')} ${scenario.name}: ${primaries.before} -> ${primaries.after}, longest gap ${(gapMs / 1000).toFixed(1)} s${recovered}`,
  )
  return true
}

/** @param {ReturnType<typeof parse>} options */
async function run({ seed, minutes, scenario, keep, lab }) {
  say(`seed ${seed}`)
  const until = performance.now() + minutes * 60_000
  let stage = await Stage.open(lab, say)
  let good = 0
  let bad = 0
  try {
    for (let round = 1; round === 1 || (scenario === undefined && performance.now() < until); round++) {
      const random = randomOf(seedOf(seed, scenario?.name ?? `round ${round}`))
      if (await play(stage, scenario ?? randomScenario(random, round), random)) {
        good++
        continue
      }
      bad++
      if (scenario !== undefined || performance.now() >= until) break
      await stage.close()
      stage = await Stage.open(lab, say)
    }
  } finally {
    await stage.close(keep)
  }
  say(`${good + bad} rounds; a promise was broken in ${bad}; seed ${seed}`)
  return bad === 0 ? 0 : 1
}

let exitCode = 0
try {
  const options = parse()
  if (options.help) process.stdout.write(help)
  else if (options.list) list()
  else exitCode = await run(options)
} catch (error) {
  const wrongUsage = error instanceof UsageError || (error instanceof TypeError && 'code' in error)
  process.stderr.write(
    `${chalk.red('faults')}: ${explain(error)}${wrongUsage ? '; see npm run faults -- --help' : ''}\n`,
  )
  exitCode = wrongUsage ? 64 : 1
}
process.exit(exitCode)
