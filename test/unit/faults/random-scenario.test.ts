import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { faultNamed, faultNames } from '../../lab/faults/catalogue.ts'
import { USUAL } from '../../lab/faults/cluster-kind.ts'
import { randomOf, seedOf } from '../../lab/faults/random.ts'
import { randomScenario } from '../../lab/faults/random-scenario.ts'
import { byCluster, type Scenario } from '../../lab/faults/scenario.ts'
import { scenarios } from '../../lab/faults/scenarios.ts'

const rounds = Array.from({ length: 3000 }, (_, round) =>
  randomScenario(randomOf(seedOf(1, `round ${round}`)), round),
)
const taken = ({ steps }: Scenario) => steps.map(({ fault }) => faultNamed(fault).takes)

describe('random scenarios', () => {
  test('every fault comes, on every role that it is for', () => {
    const drawn = new Set(rounds.flatMap(({ steps }) => steps.map(({ fault, on }) => `${fault} on ${on}`)))
    const all = faultNames.flatMap((fault) => faultNamed(fault).on.map((role) => `${fault} on ${role}`))
    assert.deepEqual([...drawn].sort(), all.sort())
  })

  test('half of the rounds have one fault, the others have two', () => {
    const pairs = rounds.filter(({ steps }) => steps.length === 2).length
    const singles = rounds.filter(({ steps }) => steps.length === 1).length
    assert.equal(pairs + singles, rounds.length)
    assert.ok(Math.abs(pairs - singles) < rounds.length / 10, `${pairs} pairs, ${singles} singles`)
  })

  test('what takes everything comes alone, and the switch has one fault at a time', () => {
    for (const round of rounds.filter(({ steps }) => steps.length === 2)) {
      assert.ok(!taken(round).includes('everything'), round.name)
      assert.notDeepEqual(taken(round), ['the switch', 'the switch'], round.name)
    }
  })
})

describe('scenarios', () => {
  test('every fault has one', () => {
    const played = new Set(scenarios.flatMap(({ steps }) => steps.map(({ fault }) => fault)))
    assert.deepEqual(
      // It is a part of other faults.
      faultNames.filter((fault) => !played.has(fault) && fault !== 'database-stopped'),
      [],
    )
  })

  test('twelve of them are in npm test, all on the usual cluster', () => {
    const inTests = scenarios.filter((scenario) => scenario.inTests !== undefined)
    assert.equal(inTests.length, 12)
    assert.deepEqual(
      inTests.filter(({ cluster }) => cluster !== undefined),
      [],
    )
  })

  test('each is in one group, with the others for its kind of cluster', () => {
    const groups = byCluster(scenarios)
    assert.deepEqual(
      groups.map(([{ machines, durability }]) => `${machines} ${durability}`),
      ['3 quorum', '4 quorum', '5 quorum', '3 strict', '3 async'],
    )
    for (const [kind, group] of groups)
      for (const { name, cluster = USUAL } of group) assert.deepEqual(cluster, kind, name)
    assert.equal(groups.flatMap(([, group]) => group).length, scenarios.length)
  })
})
