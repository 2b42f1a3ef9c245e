import { Consul } from '../consul/client.ts'
import type { ConsulReadings } from '../consul/decide-status.ts'
import { type Reading, read } from '../core/reading.ts'
import type { Settings } from '../core/settings.ts'
import type { Member, Questions } from '../core/status.ts'
import { assemble } from './assemble.ts'
import type { ClusterReport } from './facts.ts'
import { rollCall } from './roll-call.ts'
import type { Section } from './sections.ts'

/** Consul first, then all machines at once: with a silent machine the two deadlines add up, to less than three seconds. */
const CONSUL_MS = 1000
/** All machines and the daemons here are asked at once, and each has this long. */
const MACHINE_MS = 1300

/** Looks at the whole cluster from this machine. Takes root, for the passwords. Never throws and never hangs. */
export async function observeStatus(
  settings: Settings,
  sections: readonly Section[],
): Promise<ClusterReport> {
  const consul = new Consul({ prefix: settings.kvPrefix, timeoutMs: CONSUL_MS })
  const context = { settings, consul }
  const ask = (timeoutMs: number, questions: (section: Section) => Questions | undefined) =>
    answersTo(timeoutMs, Object.assign({}, ...sections.map(questions)))
  const askMachine = (member: Member, known: object) =>
    ask(MACHINE_MS, (section) => section.askMachine?.(member, { settings, consul: known }, MACHINE_MS))
  // Our own machine is asked while Consul is: that needs nothing from Consul.
  const own = askMachine({ name: settings.node, address: settings.address }, {})
  const here = ask(MACHINE_MS, (section) => section.askHere?.(context, MACHINE_MS))
  const fromConsul = (await ask(CONSUL_MS, (section) =>
    section.askConsul?.(context),
  )) as unknown as ConsulReadings
  const members = rollCall(settings, fromConsul)
  const machines = await Promise.all(
    members.map(async (member) => {
      const answers = member.name === settings.node ? own : askMachine(member, fromConsul)
      return [member.name, await answers] as const
    }),
  )
  const at = new Date().toISOString()
  const seen = { at, settings, members, consul: fromConsul, here: await here, machines: new Map(machines) }
  return assemble(seen, sections)
}

async function answersTo(timeoutMs: number, questions: Questions): Promise<Record<string, Reading<unknown>>> {
  const readings = Object.entries(questions).map(
    async ([name, answer]) => [name, await read(timeoutMs, answer)] as const,
  )
  return Object.fromEntries(await Promise.all(readings))
}
