import { type ConsulMachine, type ConsulReport, clusterSettings } from '../consul/decide-status.ts'
import type { Context } from '../consul/handler.ts'
import type { PartMode } from '../consul/manifest.ts'
import { type PartSeen, runningCell, runsAt } from '../consul/part-status.ts'
import type { Member, StatusSection, ValueOrGap } from '../core/status.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'

export interface RabbitmqFields {
  /** What RabbitMQ is in this cluster. A cluster that has none lacks the field. */
  rabbitmq?: PartMode | null | Unknown
}

export interface RabbitmqMachine {
  /** Does its RabbitMQ accept connections? null where the machine has no check of it (yet). */
  rabbitmq?: boolean | null | Unknown
}

interface RabbitmqReport extends ConsulReport, RabbitmqFields {
  machines: (ConsulMachine & RabbitmqMachine)[]
}

/** RabbitMQ's section of the status. What is wrong with it, its check says. */
export const section: StatusSection<Context, PartSeen, RabbitmqReport> = {
  fields: ({ consul }, valueOrGap): RabbitmqFields => {
    const settings = valueOrGap(null, 'RabbitMQ', clusterSettings(consul))
    return { rabbitmq: settings === UNKNOWN ? UNKNOWN : (settings.rabbitmq ?? null) }
  },
  machineFields: ({ name }: Member, { consul }, valueOrGap: ValueOrGap): RabbitmqMachine => ({
    rabbitmq: valueOrGap(name, 'RabbitMQ', runsAt('rabbitmq', 'the check of its RabbitMQ', name, consul)),
  }),
  columns: { headings: ['RABBITMQ'], cells: ({ rabbitmq }) => [runningCell(rabbitmq)] },
  notes: ({ rabbitmq }) =>
    rabbitmq === 'local'
      ? ["RabbitMQ is local: each machine's messages are on that machine alone, and away while it is"]
      : [],
}
