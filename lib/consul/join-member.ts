import { waitFor } from '../core/wait.ts'
import type { Consul } from './client.ts'
import { type Joining, markConfigured, settingsOf } from './joining.ts'
import { consulKeys } from './manifest.ts'

/** Consul's autopilot makes a server a voter after server_stabilization_time (3 s), at one of its rounds every 10 s. */
const VOTE_MS = 30_000
/** The slowest check runs every 15 s, the first time up to 15 s after its registration, and it reports what it then repairs. */
const CHECKS_MS = 45_000

/** Makes the machine known as a member: first what each component keeps about it, last the member itself. */
export async function publishMember(joining: Joining): Promise<void> {
  for (const part of joining.parts) await part.publish?.(joining)
  const { consul, version } = joining
  const { node, address, postgresqlVersion } = settingsOf(joining)
  const published = (await consul.get(consulKeys.node(node)))?.value
  if (published?.versions['understudy'] !== version) {
    const versions = { ...published?.versions, understudy: version, postgresql: String(postgresqlVersion) }
    const joinedAt = published?.joinedAt ?? new Date().toISOString()
    await consul.set(consulKeys.node(node), { schema: 1, address, joinedAt, versions })
  }
}

/** A joining server counts for the quorum only once autopilot has made it a voter. */
const waitForVote = (consul: Consul, node: string): Promise<true> =>
  waitFor(`Consul's server on ${node} to get a vote`, VOTE_MS, async () =>
    (await consul.voters()).includes(node) ? true : null,
  )

/** Waits until this machine's server votes and its own checks pass. Consul spreads their first runs over their intervals. */
export async function confirmMember({ machine, consul, parts }: Joining): Promise<void> {
  const { node } = machine
  // The check, which has to pass, says so where another build has configured this machine.
  markConfigured()
  await waitForVote(consul, node)
  const required = parts.flatMap(({ checks = [] }) => checks)
  await waitFor(`the checks of ${node} to pass (${required.join(', ')})`, CHECKS_MS, async () => {
    const own = (await consul.checksStale()).filter((check) => check.node === node)
    const failing = required.filter((id) => own.find(({ checkId }) => checkId === id)?.status !== 'passing')
    if (failing.length === 0) return true
    throw new Error(
      failing
        .map((id) => `${id}: ${own.find(({ checkId }) => checkId === id)?.output.trim() || 'no answer yet'}`)
        .join('; '),
    )
  })
}
