import type { ConsulReadings } from '../consul/decide-status.ts'
import type { Reading } from '../core/reading.ts'
import type { Gap, Seen, ValueOrGap } from '../core/status.ts'
import { UNKNOWN } from '../core/unknown.ts'
import type { ClusterReport } from './facts.ts'
import type { Section } from './sections.ts'

/** Puts the answers together, section by section. What is missing becomes `unknown`, with the reason. */
export function assemble(given: Seen<ConsulReadings>, sections: readonly Section[]): ClusterReport {
  const seen = { ...given, consul: orSilent(given) }
  const { at, settings, members } = seen
  const unknown: Gap[] = []
  const valueOrGap: ValueOrGap = (machine, what, reading) => {
    if ('value' in reading) return reading.value
    unknown.push({ machine, what, why: reading.why })
    return UNKNOWN
  }
  const fields = sections.map((section) => section.fields?.(seen, valueOrGap))
  const machines = members.map((member) => {
    const ofSections = sections.map((section) => section.machineFields?.(member, seen, valueOrGap))
    return Object.assign({ ...member, here: member.name === settings.node }, ...ofSections)
  })
  return Object.assign({ at, observer: settings.node }, ...fields, { machines, unknown })
}

/** One reason for everything, where this machine's Consul answered nothing at all. */
function orSilent({ settings, consul }: Seen<ConsulReadings>): ConsulReadings {
  const readings: [string, Reading<unknown>][] = Object.entries(consul)
  if (readings.some(([, reading]) => 'value' in reading)) return consul
  const cause = 'why' in consul.members ? `: ${consul.members.why}` : ''
  const reading = { why: `Consul on ${settings.node} does not answer${cause}` }
  return Object.fromEntries(readings.map(([name]) => [name, reading])) as unknown as ConsulReadings
}
