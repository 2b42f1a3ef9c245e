#!/usr/bin/env tsx
// npm run faults: clients write to a cluster of three machines while faults come and go. Exit 0 only if every promise
// was kept after every round.
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { chalk } from 'zx'
import { explain } from '../lib/core/errors.ts'
import { faultNamed } from '../test/lab/faults/catalogue.ts'
import { scenarioByChance } from '../test/lab/faults/chance.ts'
import { randomOf, seedOf } from '../test/lab/faults/random.ts'
import { saveReport, timelineOf } from '../test/lab/faults/report.ts'
import { playRound } from '../test/lab/faults/round.ts'
import { scenarios } from '../test/lab/faults/scenarios.ts'
import { Stage } from '../test/lab/faults/stage.ts'

const help = `npm run faults -- [--seed N] [--minutes M] [--scenario NAME] [--keep] [--lab NAME]
npm run faults -- --list

Brings up a laboratory of three machines and makes them one cluster. Clients on every machine and in the network write all
the time, while faults come and go, one or two at a time. After each round the cluster has to get in order by itself, every
acknowledged row has to be there once, and no two databases may have acknowledged side by side.

  --seed      what is chosen by chance (by chance itself; it is printed)
  --minutes   how long rounds are begun (10)
  --scenario  one round, the named one
  --list      the names, and what happens in each
  --keep      leave the lab up at the end: npm run lab -- status --lab faults-run
  --lab       what the lab is called (faults-run): runs beside one another need different names
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
    throw new UsageError(`there is no scenario "${values.scenario}"; --list names them`)
  return { ...values, seed, minutes, scenario }
}

function list() {
  const width = Math.max(...scenarios.map(({ name }) => name.length))
  for (const { name, steps, primary } of scenarios) {
    const what = steps.map(({ fault, on }) => faultNamed(fault).what.replaceAll('$', `the ${on}`)).join('; ')
    say(
      `${name.padEnd(width)}  ${what}; afterwards ${primary === 'either' ? 'any' : `${primary === 'same' ? 'the ' : ''}${primary}`} primary`,
    )
  }
}

/**
 * Plays one round and says what came of it.
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
    recoveryMs === null ? '' : `, in order ${(recoveryMs / 1000).toFixed(1)} s after healing began`
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
      if (await play(stage, scenario ?? scenarioByChance(random, round), random)) {
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
  say(`${good + bad} rounds, ${bad} of them broke a promise; seed ${seed}`)
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
