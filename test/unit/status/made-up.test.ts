/** A component that is added to the list is picked up by the status: nothing in lib/status/ knows of it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { components } from '../../../lib/components.ts'
import type { Context } from '../../../lib/consul/handler.ts'
import { type Reading, read } from '../../../lib/core/reading.ts'
import type { Report, Seen, StatusSection } from '../../../lib/core/status.ts'
import { UNKNOWN, type Unknown, unknownInJson } from '../../../lib/core/unknown.ts'
import { assemble } from '../../../lib/status/assemble.ts'
import type { StatusDocument } from '../../../lib/status/facts.ts'
import { documentOf } from '../../../lib/status/judge.ts'
import { type Section, sectionsOf } from '../../../lib/status/sections.ts'
import { tableLines } from '../../../lib/status/table.ts'
import { madeUp } from '../support/made-up.ts'
import { settings } from '../support/settings.ts'

type Answer = { lamp: Reading<string> }
interface LampReport extends Report {
  machines: (Report['machines'][number] & { lamp: string | Unknown })[]
}

const section: StatusSection<Context, Seen<{ lampWanted: Reading<string> }, object, Answer>, LampReport> = {
  askConsul: () => ({ lampWanted: Promise.resolve('green') }),
  askMachine: ({ name }) => ({
    lamp: name === 'n1' ? Promise.resolve('red') : Promise.reject(new Error('the lamp does not answer')),
  }),
  fields: ({ consul }, valueOrGap) => ({ lampWanted: valueOrGap(null, 'wanted colour', consul.lampWanted) }),
  machineFields: ({ name }, { machines }, valueOrGap) => ({
    lamp: valueOrGap(name, 'lamp', machines.get(name)?.lamp ?? { why: 'it was not asked' }),
  }),
  columns: {
    headings: ['LAMP'],
    after: 'VIRTUAL IP',
    cells: ({ lamp }) => [{ text: lamp === UNKNOWN ? 'unknown' : lamp }],
  },
  machineProblems: ({ name, lamp }) => (lamp === 'red' ? [`the lamp of ${name} is red`] : []),
  notes: () => ['lamps burn'],
}

const component = { ...madeUp, status: async () => ({ section }) }

/** Asks as lib/status/observe.ts does, but only the made-up section; for all others nothing answers. */
async function lookWith(sections: readonly Section[]): Promise<StatusDocument> {
  const nobody = { why: 'nobody is asked' }
  const names = sections.flatMap((one) => Object.keys(one.askConsul?.(silentContext) ?? {}))
  const members = ['n1', 'n2'].map((name, index) => ({ name, address: `10.77.0.1${index + 1}` }))
  const machines = members.map(async (member) => {
    const { lamp } = section.askMachine?.(member, { settings, consul: {} }, 100) ?? {}
    const answers = { postgresql: nobody, pgbouncer: nobody, lamp: await read(100, lamp ?? assert.fail()) }
    return [member.name, answers] as const
  })
  const consul = {
    ...Object.fromEntries(names.map((name) => [name, nobody])),
    lampWanted: { value: 'green' },
  } as unknown as Parameters<typeof assemble>[0]['consul']
  const here = { holdsVirtualIp: { value: true }, files: nobody, filesReport: nobody }
  const at = '2026-03-01T12:00:00.000Z'
  const seen = { at, settings, members, consul, here, machines: new Map(await Promise.all(machines)) }
  return documentOf(assemble(seen, sections), sections)
}

/** A Consul that never answers. */
const silentContext = {
  settings,
  consul: new Proxy({}, { get: () => () => new Promise(() => {}) }),
} as unknown as Context

test('a made-up component: its fields, its column, its problem and its gap', async () => {
  const sections = await sectionsOf([...components, component])
  const status = await lookWith(sections)

  const json = JSON.parse(JSON.stringify(status, unknownInJson))
  assert.equal(json.lampWanted, 'green')
  assert.deepEqual(
    json.machines.map(({ lamp }: { lamp: string }) => lamp),
    ['red', 'unknown'],
  )
  assert.ok(status.unknown.some(({ machine, why }) => machine === 'n2' && why === 'the lamp does not answer'))

  assert.ok(status.problems.includes('the lamp of n1 is red'))
  assert.deepEqual(status.notes.at(-1), 'lamps burn')

  const lines = tableLines(status, sections)
  const headings = lines.find((line) => line.includes('MACHINE')) ?? assert.fail()
  assert.match(headings, /MACHINE +ADDRESS +CONSUL +VIRTUAL IP +LAMP +POSTGRESQL/)
  const row = lines.find((line) => line.startsWith('* n1')) ?? assert.fail()
  assert.match(row.slice(headings.indexOf('LAMP')), /^red /)
})

test('without it nothing of it is there', async () => {
  const sections = await sectionsOf(components)
  const status = await lookWith(sections)
  assert.ok(!('lampWanted' in status))
  assert.ok(!tableLines(status, sections).join('\n').includes('LAMP'))
})
