import type { Check } from '../consul/client.ts'
import { type ConsulReadings, whyOutdated } from '../consul/decide-status.ts'
import { checkIdsOf } from '../consul/definitions.ts'
import type { Context } from '../consul/handler.ts'
import type { Component } from '../core/component.ts'
import type { Reading } from '../core/reading.ts'
import {
  type Cell,
  type MachineReport,
  type Report,
  type Seen,
  type StatusSection,
  unknownCell,
} from '../core/status.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'

export interface ChecksReadings {
  checks: Reading<readonly Check[]>
}

interface CheckResult {
  id: string
  status: 'passing' | 'warning' | 'critical'
  /** The first line of what the check said. */
  output: string
}

export interface ChecksMachine extends MachineReport {
  checks: CheckResult[] | Unknown
}

interface ChecksReport extends Report {
  machines: ChecksMachine[]
}

type ChecksSeen = Seen<ConsulReadings & ChecksReadings>

/** The health checks in Consul: each that a component has must exist on every machine, and all must pass. */
export const checksSection = (
  components: readonly Component<Context>[],
): StatusSection<Context, ChecksSeen, ChecksReport> => {
  const expected = checkIdsOf(components)
  return {
    askConsul: ({ consul }) =>
      ({ checks: consul.checksStale() }) satisfies Record<keyof ChecksReadings, unknown>,
    machineFields: ({ name }, { consul }, valueOrGap) => ({
      checks: valueOrGap(name, 'checks', checksOf(name, consul)),
    }),
    columns: { headings: ['CHECKS'], cells: ({ checks }) => [checksCell(checks)] },
    machineProblems: (machine) => checkProblems(machine, expected),
  }
}

const OUTPUT_CHARACTERS = 200

function checksOf(name: string, consul: ConsulReadings & ChecksReadings): Reading<CheckResult[]> {
  const { checks } = consul
  if ('why' in checks) return checks
  const outdated = whyOutdated(name, 'its checks', consul)
  if (outdated) return outdated
  return {
    value: checks.value
      .filter(({ node }) => node === name)
      .map(({ checkId, status, output }) => ({
        id: checkId,
        status,
        output: (output.trim().split('\n')[0] ?? '').slice(0, OUTPUT_CHARACTERS),
      }))
      .sort((a, b) => a.id.localeCompare(b.id, 'en')),
  }
}

function checkProblems({ name, checks }: ChecksMachine, expected: readonly string[]): string[] {
  if (checks === UNKNOWN) return []
  const missing = expected.filter((id) => !checks.some((check) => check.id === id))
  return [
    ...missing.map((id) => `Consul has no check ${id} of ${name}`),
    ...checks
      .filter(({ status }) => status !== 'passing')
      .map(
        ({ id, status, output }) => `the check ${id} of ${name} is ${status}${output ? `: ${output}` : ''}`,
      ),
  ]
}

function checksCell(checks: ChecksMachine['checks']): Cell {
  if (checks === UNKNOWN) return unknownCell
  if (checks.length === 0) return { text: 'none', tone: 'bad' }
  const failing = checks.filter(({ status }) => status !== 'passing')
  if (failing.length === 0) return { text: 'passing' }
  return { text: failing.map(({ id, status }) => `${id} ${status}`).join(', '), tone: 'bad' }
}
