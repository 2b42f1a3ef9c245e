import { type ConsulMachine, type ConsulReport, clusterSettings } from '../consul/decide-status.ts'
import type { Context } from '../consul/handler.ts'
import type { PartMode } from '../consul/manifest.ts'
import { type PartSeen, runningCell, runsAt } from '../consul/part-status.ts'
import type { Member, StatusSection, ValueOrGap } from '../core/status.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'

export interface SearchFields {
  /** What the search servers are in this cluster. A cluster that has none lacks the field. */
  search?: PartMode | null | Unknown
}

export interface SearchMachine {
  /** Does its search server answer? null where the machine has no check of it (yet). */
  search?: boolean | null | Unknown
}

interface SearchServerReport extends ConsulReport, SearchFields {
  machines: (ConsulMachine & SearchMachine)[]
}

/** The search servers' section of the status. What is wrong with one, its check says. */
export const section: StatusSection<Context, PartSeen, SearchServerReport> = {
  fields: ({ consul }, valueOrGap): SearchFields => {
    const settings = valueOrGap(null, 'search', clusterSettings(consul))
    return { search: settings === UNKNOWN ? UNKNOWN : (settings.search ?? null) }
  },
  machineFields: ({ name }: Member, { consul }, valueOrGap: ValueOrGap): SearchMachine => ({
    search: valueOrGap(name, 'search', runsAt('search', 'the check of its search server', name, consul)),
  }),
  columns: { headings: ['SEARCH'], cells: ({ search }) => [runningCell(search)] },
  notes: ({ search }) =>
    search === 'local'
      ? ["search is local: each machine's indices are on that machine alone, and away while it is"]
      : [],
}
