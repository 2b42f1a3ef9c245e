import type { Reading } from '../core/reading.ts'
import { type Cell, type Seen, unknownCell } from '../core/status.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'
import type { Check } from './client.ts'
import { type ConsulReadings, whyOutdated } from './decide-status.ts'

/** What the section of a part needs whose state Consul's check of it tells. */
export type PartSeen = Seen<ConsulReadings & { checks: Reading<readonly Check[]> }>

/** Does it run on a machine, as its check says? null where the machine has no such check (yet). */
export function runsAt(
  check: string,
  what: string,
  name: string,
  consul: PartSeen['consul'],
): Reading<boolean | null> {
  const { checks } = consul
  if ('why' in checks) return checks
  const outdated = whyOutdated(name, what, consul)
  if (outdated) return outdated
  const own = checks.value.find(({ node, checkId }) => node === name && checkId === check)
  return { value: own === undefined ? null : own.status !== 'critical' }
}

/** That in the table of the machines. */
export function runningCell(runs: boolean | null | Unknown | undefined): Cell {
  if (runs === UNKNOWN) return unknownCell
  if (runs === true) return { text: 'running' }
  return { text: runs === false ? 'down' : 'not set up', tone: 'bad' }
}
