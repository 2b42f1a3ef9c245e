#!/usr/bin/env tsx
// npm run model: searches all states of the model of three machines, within bounds. Exit 0 only if every promise is kept in each.
import { parseArgs } from 'node:util'
import { explain } from '../lib/core/errors.ts'
import { explore } from '../test/unit/postgresql/search/explore.ts'
import { RULES } from '../test/unit/postgresql/search/rules.ts'
import { STARTS } from '../test/unit/postgresql/search/starts.ts'
import { wholeNumber } from './whole-number.mjs'

const help = `npm run model -- [--faults N] [--promotions N] [--writes N] [--start N]

Searches every state that three machines, Consul and their databases can reach, and prints the shortest way to one that
breaks a promise. docs/developer/model.md says what the model knows and what it leaves out.

  --faults      how many faults may happen (1); more need much memory: NODE_OPTIONS=--max-old-space-size=16000
  --promotions  how many promotions (2)
  --writes      how many writes of clients (1)
  --start       from one of the starts only:
${STARTS.map(({ what }, index) => `                  ${index + 1}  ${what}`).join('\n')}
`

function parse() {
  const { values } = parseArgs({
    options: {
      faults: { type: 'string', default: '1' },
      promotions: { type: 'string', default: '2' },
      writes: { type: 'string', default: '1' },
      start: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  const bounds = {
    faults: wholeNumber('faults', values.faults, 0, 9),
    promotions: wholeNumber('promotions', values.promotions, 0, 9),
    writes: wholeNumber('writes', values.writes, 0, 9),
  }
  const start = values.start === undefined ? null : wholeNumber('start', values.start, 1, STARTS.length)
  return { help: values.help, bounds, start }
}

try {
  const options = parse()
  if (options.help) {
    console.log(help)
    process.exit(0)
  }
  const starts = STARTS.filter((_, index) => options.start === null || index + 1 === options.start)
  const began = performance.now()
  const { states, steps, broken, trace } = explore(
    starts.map(({ begin }) => begin(options.bounds)),
    RULES,
  )
  const memory = Math.round(process.memoryUsage().rss / 1e6)
  console.log(
    `${states} states, ${steps} steps, ${Math.round((performance.now() - began) / 1000)} s, ${memory} MB`,
  )
  if (broken !== null) console.log(`${broken}\n  ${trace.join('\n  ')}`)
  process.exitCode = broken === null ? 0 : 1
} catch (error) {
  console.error(explain(error))
  process.exitCode = 64
}
