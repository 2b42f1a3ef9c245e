import { type Applicant, claimSeat } from './decide-seat.ts'
import type { Setup } from './decide-setup.ts'
import { type Realm, sameRealm } from './realm.ts'
import type { Seats } from './schemas.ts'

/** What lies in the data directory of this machine's Consul. */
export interface DataFacts {
  directory: string
  /** By which gossip knows the agent, whatever its name is; null where it has not run. */
  nodeId: string | null
  /** A server has run with it. */
  begun: boolean
  /** Addresses of others that its gossip remembers. */
  others: readonly string[]
  /** It remembers a key of its gossip. */
  keyring: boolean
}

/** What of Consul runs on this machine. */
export interface RunningFacts {
  /** The agent that answers: a server, or one that knows others; null where none does. */
  agent: { server: boolean; others: number } | null
  /** consul.service runs. */
  unit: boolean
  /** A port of Consul that something listens on. */
  port: number | null
}

export interface MembershipFacts {
  as: 'first' | 'joiner'
  setup: Pick<Setup, 'why'>
  data: DataFacts | null
  running: RunningFacts
  /** The realm in our configuration of the agent; null where there is none. */
  own: Realm | null
  /** That of the cluster; null where there is no cluster yet. */
  realm: Realm | null
  /** An earlier join has made this machine a member. */
  member: boolean
  /** Its own Consul answers, and holds no cluster. */
  empty: boolean
  /** The node ids of the agents of the cluster, by their names; null where there is no cluster yet. */
  nodeIds: Readonly<Record<string, string>> | null
  /** null where there is no cluster yet. */
  seats: Seats | null
  applicant: Applicant
}

/** The way back of a member whose Consul knows nothing any more: new secrets would lock the old cluster out. */
export const LOST =
  'this machine is a member, but its Consul has lost its data; join it again with --consul-join and the address of another member'

/** Why this machine cannot become a member, in one sentence; null where it can. */
export function whyNotMember(facts: MembershipFacts): string | null {
  const { as, setup, data, own, realm, member } = facts
  if (setup.why !== null) return setup.why
  const below = `stop it and remove raft, serf and node-id below ${data?.directory}`
  if (own === null && (data?.begun || data?.keyring || (data?.others.length ?? 0) > 0))
    return `a Consul that is not part of an understudy cluster has data on this machine; ${below} first, if nobody needs them`
  const running = own === null ? whyRunning(facts.running) : null
  if (running !== null) return running
  if (as === 'first' && member && (!data?.begun || facts.empty)) return LOST
  if (own !== null && realm !== null && !sameRealm(own, realm) && (member || data?.begun))
    return `the Consul of this machine belongs to another understudy cluster (datacenter ${own.datacenter}, not ${realm.datacenter}); give the address of a member of that one, or ${below} and the files understudy* below /etc/consul.d and /etc/understudy first`
  const twin = whoseNodeId(facts)
  if (twin !== null)
    return `the Consul of this machine has the node id of ${twin} (${data?.directory}/node-id), as machines cloned from one template do, and would not be let in; stop it and remove that file`
  const claim = claimSeat(facts.seats, facts.applicant)
  return claim.outcome === 'refused' ? claim.why : null
}

/** The agent of another name that has this machine's node id: gossip lets no second one in. */
function whoseNodeId({ data, nodeIds, applicant }: MembershipFacts): string | null {
  const same = Object.entries(nodeIds ?? {}).find(
    ([name, id]) => name !== applicant.node && id === data?.nodeId,
  )
  return same?.[0] ?? null
}

/** An agent of HashiCorp's or Debian's unit that nobody has configured is in nobody's way: join gives it its configuration. */
function whyRunning({ agent, unit, port }: RunningFacts): string | null {
  const isAlone = agent === null || (!agent.server && agent.others === 0)
  if (isAlone && (unit || (agent === null && port === null))) return null
  const where = port === null ? '' : ` (port ${port})`
  return `a Consul that is not part of an understudy cluster runs on this machine${where}; stop it first, if nobody needs it`
}
