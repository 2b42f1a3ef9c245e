/** Join goes through the manifests: a component that is added to the list has its look, its steps and its checks in every join. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { components } from '../../../lib/components.ts'
import { checkIdsOf } from '../../../lib/consul/definitions.ts'
import type { Joining, Part } from '../../../lib/consul/joining.ts'
import { missingPackages } from '../../../lib/core/packages.ts'
import {
  joinGroups,
  joinParts,
  joinSteps,
  lookAround,
  upgradeSteps,
} from '../../../lib/operations/join-parts.ts'
import { madeUp } from '../support/made-up.ts'

/** What the made-up part has done. */
const done: string[] = []
const step = (phase: Part['steps'][number]['phase'], title: string) => ({
  phase,
  title,
  run: async ({ machine }: Joining): Promise<void> => {
    done.push(`${title} on ${machine.node}`)
  },
})
const lampPart: Part = {
  async look({ machine }) {
    if (machine.node === 'dark') throw new Error('there is no light in the dark')
    done.push(`look at ${machine.node}`)
  },
  steps: [
    step('confirmation', 'wait for the light'),
    step('daemons', 'set up the lamp'),
    { ...step('daemons', 'choose a colour'), only: 'first' },
    { ...step('daemons', 'take the colour over'), only: 'joiner' },
  ],
  upgrade: [step('daemons', 'set up the lamp')],
  async publish({ machine }) {
    done.push(`publish ${machine.node}`)
  },
  checks: ['lamp'],
  leave: [],
}
const lamp = { ...madeUp, join: async () => ({ part: lampPart }) }
const all = [...components, lamp]
const on = (node: string, parts: readonly Part[]): Joining =>
  ({ machine: { node }, parts }) as unknown as Joining
const titles = async (list: typeof all | typeof components, as: 'first' | 'joiner'): Promise<string[]> =>
  joinSteps(await joinParts(list), as).map(({ title }) => title)

const FIRST = [
  'start Consul',
  'found the cluster',
  'configure PostgreSQL',
  'register with repmgr',
  'set up PgBouncer',
  'set up keepalived',
  'set up Syncthing',
  'set up the copies of the logs',
  'set up RabbitMQ',
  'set up the search server',
  'register services, checks and watches',
  'become the primary',
  'publish the member',
  'set up repmgrd',
  'wait for the checks',
]
const JOINER = [
  'start Consul',
  'take a seat',
  'configure PostgreSQL',
  'copy the primary',
  'stream from the primary',
  'register with repmgr',
  'set up PgBouncer',
  'set up keepalived',
  'set up Syncthing',
  'set up the copies of the logs',
  'set up RabbitMQ',
  'set up the search server',
  'register services, checks and watches',
  'publish the member',
  'set up repmgrd',
  'wait for the checks',
]
/** A list with more after one of its elements. */
const after = (list: readonly string[], element: string, ...more: string[]): string[] =>
  list.flatMap((one) => (one === element ? [one, ...more] : [one]))

describe('join: the steps', () => {
  test('of the first machine', async () => assert.deepEqual(await titles(components, 'first'), FIRST))
  test('of any other', async () => assert.deepEqual(await titles(components, 'joiner'), JOINER))

  test('side by side: only those that set up a daemon, all of them', async () => {
    const groups = joinGroups(await joinParts(components), 'joiner').map((group) =>
      group.map(({ title }) => title),
    )
    assert.deepEqual(groups.flat(), JOINER)
    assert.deepEqual(
      groups.filter(({ length }) => length > 1),
      [JOINER.slice(JOINER.indexOf('set up PgBouncer'), JOINER.indexOf('set up the search server') + 1)],
    )
  })

  test('after an upgrade of the package: nothing is copied, and nothing waits', async () =>
    assert.deepEqual(
      upgradeSteps(await joinParts(all)).map(({ title }) => title),
      [
        ...['configure Consul', 'read the cluster', 'configure PostgreSQL'],
        ...['set up PgBouncer', 'set up keepalived', 'set up Syncthing', 'set up the copies of the logs'],
        ...['set up RabbitMQ', 'set up the search server', 'set up the lamp'],
        ...['register services, checks and watches', 'publish the member', 'set up repmgrd'],
      ],
    ))

  test('nothing is left to do in a leave yet', async () =>
    assert.deepEqual(
      (await joinParts(components)).flatMap(({ leave }) => leave),
      [],
    ))

  test('wait for every check of a member except that of the files, which arrive later', async () => {
    const awaited = (await joinParts(components)).flatMap(({ checks = [] }) => checks)
    const own = [...checkIdsOf(components), 'serfHealth'].filter((id) => id !== 'files')
    assert.deepEqual([...awaited].sort(), own.sort())
  })
})

describe('join: a made-up component', () => {
  test('its steps come in their phases, after those of the others', async () => {
    const first = after(FIRST, 'set up the search server', 'set up the lamp', 'choose a colour')
    assert.deepEqual(await titles(all, 'first'), [...first, 'wait for the light'])
    const joiner = after(JOINER, 'set up the search server', 'set up the lamp', 'take the colour over')
    assert.deepEqual(await titles(all, 'joiner'), [...joiner, 'wait for the light'])
  })

  test('its steps run with what the join knows', async () => {
    done.length = 0
    const parts = await joinParts([lamp])
    for (const { run } of joinSteps(parts, 'first')) await run(on('n1', parts), () => {})
    assert.deepEqual(done, ['set up the lamp on n1', 'choose a colour on n1', 'wait for the light on n1'])
  })

  test('it looks before anything is changed, and may refuse', async () => {
    done.length = 0
    const parts = await joinParts([lamp])
    await lookAround(on('n1', parts))
    assert.deepEqual(done, ['look at n1'])
    await assert.rejects(lookAround(on('dark', parts)), /no light in the dark/)
  })

  test('what others may answer is asked beside the looks, whose refusals come first', async () => {
    done.length = 0
    const asking: Part = {
      ask: async ({ machine }) => {
        done.push(`ask about ${machine.node}`)
        await new Promise((resolve) => setTimeout(resolve, 10))
        if (machine.node !== 'n1') throw new Error('somebody has it')
      },
      ...{ steps: [], upgrade: [], leave: [] },
    }
    await lookAround(on('n1', [lampPart, asking]))
    assert.deepEqual(done, ['ask about n1', 'look at n1'])
    await assert.rejects(lookAround(on('n2', [lampPart, asking])), /somebody has it/)
    await assert.rejects(lookAround(on('dark', [asking, lampPart])), /no light in the dark/)
  })

  test('a component without a part takes no part', async () =>
    assert.deepEqual(await joinParts([madeUp]), []))

  test('its package is named where its program is missing', () => {
    const needed = all.flatMap((component) => component.package.depends ?? [])
    const missing = (absent: RegExp) => missingPackages(needed, (program) => !absent.test(program))
    assert.deepEqual(missing(/lamp/), ['lamp'])
    assert.deepEqual(missing(/pgbouncer|repmgr/), ['repmgr', 'pgbouncer'])
    assert.deepEqual(missing(/^$/), [])
  })
})
