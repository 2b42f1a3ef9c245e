import { slotName } from './config.ts'

/** A connection that receives WAL from this primary. */
export interface Stream {
  pid: number
  /** When it has begun, in seconds: another process may get the same id. */
  started: string
  /** What it calls itself: all that PostgreSQL's commit rule looks at. */
  name: string
  user: string
  /** null over a Unix socket. */
  address: string | null
  /** The replication slot that it holds. */
  slot: string | null
  /** It has caught up. */
  streaming: boolean
  /** What it has on disk, and what it has replayed. A receiver that is no database (pg_receivewal) replays nothing. */
  flushed: bigint | null
  replayed: bigint | null
}

/** A member as far as it takes to know its stream. */
export interface StreamingMember {
  node: string
  /** 0 where it is not known. */
  repmgrId: number
  address: string | null
}

/** A stream under the name of a member that is not the member's, and why. */
export interface Stranger extends Stream {
  why: string
}

/**
 * Which streams are the members' own. PostgreSQL counts whoever uses a member's name; a member is who streams from its own slot and
 * address, as repmgr, and replays what it receives.
 */
export function sortStreams(
  streams: readonly Stream[],
  members: readonly StreamingMember[],
): { standbys: Stream[]; strangers: Stranger[] } {
  const standbys: Stream[] = []
  const strangers: Stranger[] = []
  for (const stream of streams) {
    const member = members.find(({ node }) => node === stream.name)
    if (!member) continue
    const why = strangeness(stream, member)
    if (why === null) standbys.push(stream)
    else strangers.push({ ...stream, why })
  }
  return { standbys, strangers }
}

function strangeness(stream: Stream, { node, repmgrId, address }: StreamingMember): string | null {
  const from = stream.address ?? 'this machine itself'
  const something = `something at ${from} streams as ${node}`
  if (stream.slot === null || (repmgrId > 0 && stream.slot !== slotName(repmgrId)))
    return `${something} without its slot`
  if (address !== null && stream.address !== address) return `${something}, whose address is ${address}`
  if (stream.user !== 'repmgr') return `${something}, but as the user ${stream.user}`
  // It tells its position only in its first reply, a moment after it has connected.
  if (stream.streaming && stream.replayed === null && stream.flushed !== null)
    return `${something}, but is not a database: it replays nothing`
  return null
}
