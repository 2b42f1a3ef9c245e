import type { Entry } from '../consul/entry.ts'
import type { Reading } from '../core/reading.ts'
import { idOf } from './config.ts'
import type { Service, ServiceNode, ServicesDocument } from './manifest.ts'

/** What Consul is asked about the services. */
export interface ServicesReadings {
  services: Reading<Entry<ServicesDocument> | null>
  serviceNodes: Reading<ReadonlyMap<string, Entry<ServiceNode>>>
}

/** What Consul says of a check. */
export type CheckStatus = 'passing' | 'warning' | 'critical'

/** How a service does on a machine. */
export interface ServiceState {
  /** `unknown`: this machine has not said yet. */
  state: 'here' | 'elsewhere' | 'missing' | 'unknown'
  /** What Consul's check says; null where there is none, as on a machine where it does not run. */
  check: CheckStatus | null
}

/** A service with its machines. */
export interface ServiceReport extends Service {
  name: string
  /** Its name in Consul's DNS. */
  dns: string
  machines: Record<string, ServiceState>
}

/** Every service of the cluster with what each machine makes of it, by name. */
export function reportServices(
  { services }: ServicesDocument,
  nodes: ReadonlyMap<string, Pick<Entry<ServiceNode>, 'value'>>,
  checks: readonly { node: string; checkId: string; status: CheckStatus }[],
  members: readonly string[],
): ServiceReport[] {
  return Object.entries(services)
    .sort(([one], [other]) => one.localeCompare(other, 'en'))
    .map(([name, service]) => {
      const machines = members.map((member) => {
        const check = checks.find(({ node, checkId }) => node === member && checkId === idOf(name))
        const state = nodes.get(member)?.value.services[name] ?? 'unknown'
        return [member, { state, check: check?.status ?? null }] as const
      })
      return { name, ...service, dns: `${name}.service.consul`, machines: Object.fromEntries(machines) }
    })
}

/** How the services deviate from what is wanted. What a check says, the status says of every check. */
export const serviceProblems = (reports: readonly ServiceReport[]): string[] =>
  reports
    .filter(
      ({ run, machines }) =>
        run === 'active' && !Object.values(machines).some(({ state }) => state === 'here'),
    )
    .map(({ name }) => `the service ${name} runs on no machine`)

/** What a person reads of one machine. */
export function stateText({ state, check }: ServiceState): string {
  if (state === 'here') return check === null ? 'starting' : `runs here, its check is ${check}`
  if (state === 'missing') return 'has no such unit'
  return state === 'elsewhere' ? 'stopped: this is not the active machine' : 'not set up yet'
}
