import * as v from 'valibot'
import { EXIT, UnderstudyError } from '../core/errors.ts'

/**
 * What keeps the Consul of a cluster apart from every other one, also where an address is used again (docs/adr/0036). Gossip
 * refuses another datacenter. Raft does not: it goes by addresses, so only another port keeps it away.
 */
export interface Realm {
  datacenter: string
  /** TCP port of the servers. */
  serverPort: number
}

/** Consul's defaults, and those of clusters founded before each had a realm of its own. */
export const DEFAULT_REALM: Realm = { datacenter: 'dc1', serverPort: 8300 }

/** The servers of a new cluster listen at one of these ports, which hardly anything else uses. */
export const SERVER_PORTS = { from: 18300, to: 18499 } as const

const agent = v.object({
  datacenter: v.optional(v.string(), DEFAULT_REALM.datacenter),
  ports: v.optional(v.object({ server: v.optional(v.number(), DEFAULT_REALM.serverPort) }), {
    server: DEFAULT_REALM.serverPort,
  }),
})

/** The realm that an agent's configuration of ours names. @throws one sentence where it is not one. */
export function realmIn(text: string): Realm {
  try {
    const { datacenter, ports } = v.parse(agent, JSON.parse(text))
    return { datacenter, serverPort: ports.server }
  } catch (cause) {
    throw new UnderstudyError(
      EXIT.config,
      "understudy.json in /etc/consul.d is not Consul's configuration any more; restore it, or copy datacenter and ports from another member",
      { cause },
    )
  }
}

export const sameRealm = (one: Realm, other: Realm): boolean =>
  one.datacenter === other.datacenter && one.serverPort === other.serverPort
