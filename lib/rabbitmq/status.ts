import type { Check } from '../consul/client.ts'
import {
  type ConsulMachine,
  type ConsulReadings,
  type ConsulReport,
  clusterSettings,
  whyOutdated,
} from '../consul/decide-status.ts'
import type { Context } from '../consul/handler.ts'
import type { RabbitmqMode } from '../consul/manifest.ts'
import type { Reading } from '../core/reading.ts'
import {
  type Cell,
  type Member,
  type Seen,
  type StatusSection,
  unknownCell,
  type ValueOrGap,
} from '../core/status.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'

type RabbitmqSeen = Seen<ConsulReadings & { checks: Reading<readonly Check[]> }>

export interface RabbitmqFields {
  /** What RabbitMQ is in this cluster. A cluster that has none lacks the field. */
  rabbitmq?: RabbitmqMode | null | Unknown
}

export interface RabbitmqMachine {
  /** Does its RabbitMQ accept connections? null where the machine has no check of it (yet). */
  rabbitmq?: boolean | null | Unknown
}

interface RabbitmqReport extends ConsulReport, RabbitmqFields {
  machines: (ConsulMachine & RabbitmqMachine)[]
}

/** RabbitMQ's section of the status. What is wrong with it, its check says. */
export const section: StatusSection<Context, RabbitmqSeen, RabbitmqReport> = {
  fields: ({ consul }, valueOrGap): RabbitmqFields => {
    const settings = valueOrGap(null, 'RabbitMQ', clusterSettings(consul))
    return { rabbitmq: settings === UNKNOWN ? UNKNOWN : (settings.rabbitmq ?? null) }
  },
  machineFields: ({ name }: Member, { consul }, valueOrGap: ValueOrGap): RabbitmqMachine => ({
    rabbitmq: valueOrGap(name, 'RabbitMQ', acceptsAt(name, consul)),
  }),
  columns: { headings: ['RABBITMQ'], cells: ({ rabbitmq }) => [cellOf(rabbitmq)] },
  notes: ({ rabbitmq }) =>
    rabbitmq === 'local'
      ? ["RabbitMQ is local: each machine's messages are on that machine alone, and away while it is"]
      : [],
}

function acceptsAt(name: string, consul: RabbitmqSeen['consul']): Reading<boolean | null> {
  const { checks } = consul
  if ('why' in checks) return checks
  const outdated = whyOutdated(name, 'the check of its RabbitMQ', consul)
  if (outdated) return outdated
  const own = checks.value.find(({ node, checkId }) => node === name && checkId === 'rabbitmq')
  return { value: own === undefined ? null : own.status === 'passing' }
}

function cellOf(accepts: RabbitmqMachine['rabbitmq']): Cell {
  if (accepts === UNKNOWN) return unknownCell
  if (accepts === true) return { text: 'running' }
  return { text: accepts === false ? 'down' : 'not set up', tone: 'bad' }
}
