import { type Paint, plain } from '../core/paint.ts'
import type { Cell, Columns, Gap, Report } from '../core/status.ts'
import type { StatusDocument, Verdict } from './facts.ts'
import type { Section } from './sections.ts'

/** The text a person reads: health, the cluster, one row for each machine, and why something is not known. */
export function tableLines(
  status: StatusDocument,
  sections: readonly Section[],
  paint: Paint = plain,
): string[] {
  // From what clients see down to Consul.
  const clusterLine = [...sections].reverse().flatMap((section) => section.clusterLine?.(status) ?? [])
  return [
    ...headlines(status, paint),
    clusterLine.join(', '),
    ...status.notes.map((note) => `note: ${note}`),
    '',
    ...alignedLines(rowsOf(status, columnsOf(sections, status.primary)), paint).map((line, index) =>
      `${status.machines[index - 1]?.here ? '*' : ' '} ${line}`.trimEnd(),
    ),
    ...gapLines(status.unknown).map((line) => paint.faint(line)),
  ]
}

function headlines({ healthy, summary, problems }: Verdict, paint: Paint): string[] {
  if (healthy) return [paint.good(summary)]
  if (problems.length === 1) return [paint.bad(summary)]
  return [
    paint.bad(`not healthy: ${problems.length} problems`),
    ...problems.map((problem) => `  - ${problem}`),
  ]
}

/** Name and address, and the columns of the sections where each wants to stand. */
function columnsOf(sections: readonly Section[], primary: StatusDocument['primary']): Columns<Report>[] {
  const all: Columns<Report>[] = [
    {
      headings: ['MACHINE', 'ADDRESS'],
      cells: ({ name, address }) => [
        { text: name, ...(name === primary ? { tone: 'strong' as const } : {}) },
        { text: address },
      ],
    },
  ]
  for (const { columns } of sections) {
    if (!columns) continue
    const before = all.findIndex(({ headings }) => headings.some((heading) => heading === columns.after))
    all.splice(before === -1 ? all.length : before + 1, 0, columns)
  }
  return all
}

const rowsOf = (report: Report, columns: readonly Columns<Report>[]): Cell[][] => [
  columns.flatMap(({ headings }) => headings.map((text): Cell => ({ text, tone: 'strong' }))),
  ...report.machines.map((machine) => columns.flatMap(({ cells }) => cells(machine, report))),
]

/** Pads every column to its widest cell; colour comes after, because it has no width. */
function alignedLines(rows: readonly (readonly Cell[])[], paint: Paint): string[] {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.text.length ?? 0)))
  return rows.map((row) =>
    row
      .map(({ text, tone }, column) => {
        const space = ' '.repeat((widths?.[column] ?? 0) - text.length)
        return (tone ? paint[tone](text) : text) + (column === row.length - 1 ? '' : space)
      })
      .join('  '),
  )
}

/** Why something is unknown: one line for each reason, with everything it explains. */
function gapLines(gaps: readonly Gap[]): string[] {
  if (gaps.length === 0) return []
  const byReason = new Map<string, string[]>()
  for (const { machine, what, why } of gaps) {
    byReason.set(why, [...(byReason.get(why) ?? []), machine ? `${machine} ${what}` : what])
  }
  return ['', 'unknown:', ...[...byReason].map(([why, what]) => `  ${what.join(', ')}: ${why}`)]
}
