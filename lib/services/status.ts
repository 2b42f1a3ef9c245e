import type { Check } from '../consul/client.ts'
import type { Context } from '../consul/handler.ts'
import type { Reading } from '../core/reading.ts'
import { valueFrom } from '../core/reading.ts'
import type { Report, Seen, StatusSection } from '../core/status.ts'
import { UNKNOWN } from '../core/unknown.ts'
import {
  reportServices,
  type ServiceReport,
  type ServicesReadings,
  serviceProblems,
} from './decide-status.ts'
import { servicesKeys } from './manifest.ts'

export interface ServicesFields {
  /** Only where the cluster has services. */
  services?: ServiceReport[]
}

/** The services' section of the status: nothing, where the cluster has none. What their checks say stands among the checks. */
export const section: StatusSection<
  Context,
  Seen<ServicesReadings & { checks: Reading<readonly Check[]> }>,
  Report & ServicesFields
> = {
  askConsul: ({ consul }) =>
    ({
      services: consul.getStale(servicesKeys.list),
      serviceNodes: consul.listStale(servicesKeys.nodes),
    }) satisfies Record<keyof ServicesReadings, unknown>,

  fields({ consul, members }, valueOrGap): ServicesFields {
    // Without Consul, other sections say so.
    const services = valueFrom(consul.services)
    if (!services || Object.keys(services.value.services).length === 0) return {}
    const nodes = valueOrGap(null, 'services', consul.serviceNodes)
    if (nodes === UNKNOWN) return {}
    const names = members.map(({ name }) => name)
    return { services: reportServices(services.value, nodes, valueFrom(consul.checks) ?? [], names) }
  },

  problems: ({ services }) => serviceProblems(services ?? []),
}
