import type { Plan } from '../core/reconciler.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'
import type { BrokerData, BrokerNode } from './decide.ts'

export interface BrokerGateFacts {
  /** What RabbitMQ is in this cluster; null: it has none. */
  mode: string | null
  data: BrokerData
  /** What Consul holds about this machine's broker. */
  own: BrokerNode | null | Unknown
}

export type BrokerGatePlan = Plan & { do: 'start' | 'refuse' }

/**
 * May the broker start? One that has lost its data must not start under its name before the others have forgotten it: they would
 * take it for the member it was, and its vote in a queue would count for messages that it no longer has.
 */
export function decideBrokerGate({ mode, data, own }: BrokerGateFacts): BrokerGatePlan {
  if (mode !== 'clustered') return { do: 'start', why: 'the broker is no part of a cluster of brokers' }
  if (own === UNKNOWN)
    return data.state === 'marked'
      ? { do: 'start', why: 'Consul does not answer, and the broker has its data' }
      : { do: 'refuse', why: 'the broker has no data, and Consul does not say whether it may start anew' }
  if (data.state === 'marked')
    return data.incarnation === own?.incarnation && own.state !== 'forgotten'
      ? { do: 'start', why: 'the broker has its data' }
      : { do: 'refuse', why: 'the others have forgotten the broker with this data; it will join anew' }
  // Half of a join that was interrupted is finished; where nothing is left of it, the others may already count on this broker.
  if (own?.state === 'starting' || (own?.state === 'joining' && data.state === 'unmarked'))
    return { do: 'start', why: 'the broker may start anew' }
  return { do: 'refuse', why: 'the broker has no data, and the others have not forgotten it yet' }
}
