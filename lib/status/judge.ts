import { EXIT } from '../core/errors.ts'
import type { MachineReport, Report } from '../core/status.ts'
import type { ClusterReport, StatusDocument, Verdict } from './facts.ts'
import type { Section } from './sections.ts'

/** Exit code of `understudy status` where the cluster can be looked at but is not healthy. */
const UNHEALTHY = 2

/** Compares a report with a healthy cluster: pure, one sentence for every deviation, the cluster's before the machines'. */
export function judge(report: Report, sections: readonly Section[]): Verdict {
  const problems = [
    ...sections.flatMap((section) => section.problems?.(report) ?? []),
    ...report.machines.flatMap((machine) => machineProblems(machine, report, sections)),
  ]
  // Nothing is called healthy that could not be seen.
  if (problems.length === 0) {
    problems.push(
      ...report.unknown.map(({ machine, what }) => `${machine ? `${what} of ${machine}` : what}: not known`),
    )
  }
  const healthy = problems.length === 0
  const summary = healthy
    ? `healthy: ${sections.map((section) => section.healthyPhrase?.(report) ?? '').join('')}`
    : `not healthy: ${problems.join('; ')}`
  return { healthy, summary, problems, notes: sections.flatMap((section) => section.notes?.(report) ?? []) }
}

function machineProblems(machine: MachineReport, report: Report, sections: readonly Section[]): string[] {
  const asked = sections.filter(({ answers }) => answers !== undefined)
  if (asked.length > 0 && !asked.some((section) => section.answers?.(machine)))
    return [`${machine.name} does not answer: neither its ${asked.map(({ title }) => title).join(' nor ')}`]
  return sections.flatMap((section) => section.machineProblems?.(machine, report) ?? [])
}

/** The whole of what `--json` prints. */
export const documentOf = (report: ClusterReport, sections: readonly Section[]): StatusDocument => ({
  schema: 1,
  ...judge(report, sections),
  ...report,
})

export function exitCodeOf({ healthy, consul }: Pick<StatusDocument, 'healthy' | 'consul'>): number {
  if (!consul.answers) return EXIT.unavailable
  return healthy ? EXIT.ok : UNHEALTHY
}
