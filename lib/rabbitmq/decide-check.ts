import type { CheckPlan } from '../core/component.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'
import { sameNames } from './decide.ts'
import type { NodeState } from './manifest.ts'

export type BrokerCheckFacts =
  | { clustered: false }
  | {
      clustered: true
      /** How far this machine's broker is; null: nobody has begun. */
      state: NodeState | null | Unknown
      /** systemd's word for the state of the broker's unit. */
      unit: string
      names: ReadonlyMap<string, string> | Unknown
      known: ReadonlyMap<string, string>
      /** Members whose broker accepts connections, as Consul says. */
      accepting: ReadonlySet<string> | Unknown
      /** Members that last ran together, as one of them has written down; null: nobody has yet. */
      recorded: readonly string[] | null | Unknown
      /** How the handler's last run ended; null: there was none since the boot. */
      report: { do: string; why: string } | null
    }

export interface BrokerCheckPlan extends CheckPlan {
  do: 'nothing' | 'start'
}

/** Whether the handler has to run, and what a person should know. A broker that a person has stopped stays stopped. */
export function decideBrokerCheck(facts: BrokerCheckFacts): BrokerCheckPlan {
  if (!facts.clustered)
    return { do: 'nothing', why: 'the broker is no part of a cluster of brokers', problems: [] }
  const { state, unit, names, known, report } = facts
  if (state === UNKNOWN || names === UNKNOWN)
    return { do: 'nothing', why: 'Consul does not answer', problems: [] }
  if (state !== 'member') return start('the broker is not a member yet', report)
  // The start gate may keep it from starting, as its data is lost.
  if (unit === 'activating' || unit === 'failed') return start('the broker does not start', report)
  if (!sameNames(names, known)) return { do: 'start', why: 'the members have changed', problems: [] }
  const { accepting, recorded } = facts
  if (accepting !== UNKNOWN && recorded !== UNKNOWN && !sameMembers(accepting, recorded ?? []))
    return { do: 'start', why: 'a broker is away, or back', problems: [] }
  return { do: 'nothing', why: 'the broker is a member', problems: [] }
}

const sameMembers = (a: ReadonlySet<string>, b: readonly string[]): boolean =>
  a.size === b.length && b.every((name) => a.has(name))

function start(why: string, report: { do: string; why: string } | null): BrokerCheckPlan {
  const more = report === null || report.do === 'nothing' ? '' : `: ${report.why}`
  return { do: 'start', why, problems: [`RabbitMQ: ${why}${more}`] }
}
