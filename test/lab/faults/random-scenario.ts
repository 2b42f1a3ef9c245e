/** Random scenarios: one fault, or two that overlap. */
import { type FaultName, faultNamed, faultNames } from './catalogue.ts'
import type { Fault } from './fault.ts'
import type { Random } from './random.ts'
import type { Scenario, Step } from './scenario.ts'

const LONGEST_MS = 20_000
const SHORTEST_MS = 2000
const APART_MS = 6000

/** Whether two faults may go on at the same time: the switch has one set of blocks, and some take all there is. */
function overlap(one: Fault, other: Fault): boolean {
  if (one.takes === 'everything' || other.takes === 'everything') return false
  return one.takes !== 'the switch' || other.takes !== 'the switch'
}

const companionsOf = (first: FaultName): FaultName[] =>
  faultNames.filter((name) => overlap(faultNamed(first), faultNamed(name)))

/** The next scenario of a run. Whoever is the primary afterwards, no promise may be broken. */
export function randomScenario(random: Random, number: number): Scenario {
  const alone = random.integer(0, 1) === 1
  const first = random.pick(alone ? faultNames : faultNames.filter((name) => companionsOf(name).length > 0))
  const second = alone ? [] : [random.pick(companionsOf(first))]
  const steps = [first, ...second].map(
    (fault, index): Step => ({
      fault,
      on: random.pick(faultNamed(fault).on),
      ...(index === 0 ? {} : { afterMs: random.integer(0, APART_MS) }),
    }),
  )
  return {
    name: `round ${number}: ${steps.map(({ fault, on }) => `${fault} on the ${on}`).join(', then ')}`,
    steps,
    lasts: { ms: random.integer(SHORTEST_MS, LONGEST_MS) },
    primary: 'either',
  }
}
