import type { Context } from '../consul/handler.ts'
import { consulKeys } from '../consul/manifest.ts'
import { readNote, readText } from '../core/atomic-files.ts'
import type { CheckLine } from '../core/component.ts'
import { queueUnit, unitStates } from '../core/systemd.ts'
import { orUnknown, UNKNOWN } from '../core/unknown.ts'
import { knownNames } from './config.ts'
import { type BrokerCheckFacts, type BrokerCheckPlan, decideBrokerCheck } from './decide-check.ts'
import { rabbitmqKeys, rabbitmqPaths, rabbitmqUnits } from './manifest.ts'
import { acceptingBrokers, addressesIn, brokerChecks, nodesIn } from './observe.ts'
import type { BrokerReport } from './reconcile.ts'

/** Is this machine's broker a member? Never asks the broker's own commands: a call takes seconds. */
const broker: CheckLine<Context, BrokerCheckFacts, BrokerCheckPlan> = {
  name: 'rabbitmq',
  async observe({ settings: { node, rabbitmq: mode }, consul }) {
    if (mode !== 'clustered') return { clustered: false }
    const { server } = rabbitmqUnits
    const [own, seats, units, checks, running] = await Promise.all([
      orUnknown(consul.get(rabbitmqKeys.node(node))),
      orUnknown(consul.get(consulKeys.seats)),
      unitStates([server]),
      orUnknown(brokerChecks(consul)),
      orUnknown(consul.get(rabbitmqKeys.running)),
    ])
    return {
      clustered: true,
      state: own === UNKNOWN ? UNKNOWN : (own?.value.state ?? null),
      unit: units.get(server) ?? '',
      names: addressesIn(seats),
      known: knownNames(readText(rabbitmqPaths.names) ?? ''),
      accepting: checks === UNKNOWN ? UNKNOWN : acceptingBrokers(checks),
      recorded: nodesIn(running),
      report: readNote<BrokerReport>(rabbitmqPaths.report),
    }
  },
  decide: decideBrokerCheck,
  async apply(plan) {
    if (plan.do === 'start') await queueUnit('start', rabbitmqUnits.member)
  },
}

/** This component's lines of the periodic check. */
export const lines = [broker]
