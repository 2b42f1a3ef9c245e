import { peersOf } from '../consul/decide-peers.ts'
import type { Seats } from '../consul/schemas.ts'
import type { Plan } from '../core/reconciler.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'
import { renderUpload } from './config.ts'

/** What is sent to one member. */
export interface Upload {
  /** What its unit is told. */
  text: string
  /** How much older the last line that arrived is than the last one of the journal, in ms; null where that is not known. */
  behindMs: number | null
}

export interface LogPeersFacts {
  node: string
  seats: Seats | null | Unknown
  /** By member: whom the log of this machine is sent to. */
  uploads: Readonly<Record<string, Upload>>
  /** The machines that Consul sees alive. */
  alive: readonly string[] | Unknown
  /** The receiver of this machine has been set up. */
  setUp: boolean
}

export interface LogPeersPlan extends Plan {
  do: 'nothing' | 'send'
  /** Whom it is to be sent to, and was not, or not there. */
  begin: readonly { node: string; address: string }[]
  /** Whom it is no longer sent to. */
  end: readonly string[]
  /** Whose unit is started again. */
  restart: readonly string[]
}

/** A unit that is so far behind a member which is alive waits for a connection that is dead: TCP may wait for minutes. */
export const STALLED_MS = 60_000
/** A journal that has not arrived for so long is what a person should know of. */
export const LATE_MS = 600_000

/** Who the log of this machine is to be sent to, and which connections are to be made anew. */
export function decideLogPeers({ node, seats, uploads, alive, setUp }: LogPeersFacts): LogPeersPlan {
  const none = { begin: [], end: [], restart: [] }
  if (seats === UNKNOWN) return { do: 'nothing', why: 'Consul does not answer', ...none }
  if (seats === null || !setUp) return { do: 'nothing', why: 'join has not set up the logs yet', ...none }
  const peers = peersOf(node, seats)
  const begin = peers.filter((peer) => uploads[peer.node]?.text !== renderUpload(peer.address))
  const end = Object.keys(uploads).filter((name) => !peers.some((peer) => peer.node === name))
  const restart = stalled(uploads, alive).filter(
    (name) => !end.includes(name) && !begin.some((peer) => peer.node === name),
  )
  const reasons = [
    begin.length > 0 ? `the log is to be sent to ${begin.map((peer) => peer.node).join(', ')}` : '',
    end.length > 0 ? `${end.join(', ')} is no longer a member` : '',
    restart.length > 0 ? `the connection to ${restart.join(', ')} is dead` : '',
  ].filter((reason) => reason !== '')
  if (reasons.length > 0) return { do: 'send', why: reasons.join('; '), begin, end, restart }
  const names = peers.map((peer) => peer.node).join(', ') || 'nobody'
  return { do: 'nothing', why: `the log is sent to ${names}`, ...none }
}

function stalled(uploads: LogPeersFacts['uploads'], alive: LogPeersFacts['alive']): string[] {
  if (alive === UNKNOWN) return []
  return Object.entries(uploads)
    .filter(([name, { behindMs }]) => alive.includes(name) && behindMs !== null && behindMs > STALLED_MS)
    .map(([name]) => name)
}

/** What a person should know: whose copy of the log is old although the machine is there. */
export function lateCopies({ node, uploads, alive }: LogPeersFacts): string[] {
  if (alive === UNKNOWN) return []
  return Object.entries(uploads).flatMap(([name, { behindMs }]) =>
    alive.includes(name) && behindMs !== null && behindMs > LATE_MS
      ? [`the log of ${node} has not reached ${name} for ${Math.floor(behindMs / 60_000)} min`]
      : [],
  )
}
