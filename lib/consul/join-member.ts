import { explain } from '../core/errors.ts'
import { settleUnits } from '../core/systemd.ts'
import { waitFor } from '../core/wait.ts'
import type { Consul } from './client.ts'
import { type Joining, markConfigured, settingsOf } from './joining.ts'
import { consulKeys } from './manifest.ts'

/** Consul's autopilot makes a server a voter after server_stabilization_time (1 s), at one of its rounds every 10 s. */
const VOTE_MS = 30_000
/** The slowest check runs every 15 s, the first time up to 15 s after its registration, and it reports what it then repairs. */
const CHECKS_MS = 45_000
/** How often they are looked at. */
const CHECKS_EVERY_MS = 100
/** What was written to Consul is known to all of its servers by then; a busy one takes longer. */
const KNOWN_MS = 5000

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

/** Waits until this machine's server votes and its own checks pass. */
export async function confirmMember(joining: Joining): Promise<void> {
  // The check, which has to pass, says so where another build has configured this machine.
  markConfigured()
  await Promise.all([
    waitForVote(joining.consul, joining.machine.node),
    waitForChecks(joining),
    settleUnits(),
  ])
}

/** Consul spreads the first runs of its checks over their intervals: what can be run at once is not waited for. */
async function waitForChecks({ machine, consul, parts }: Joining): Promise<void> {
  const { node } = machine
  const required = parts.flatMap(({ checks = [] }) => checks)
  const runs = new Map(parts.flatMap(({ firstRuns = {} }) => Object.entries(firstRuns)))
  /** When one was found to pass: this machine's server may know of it a moment later. */
  const passedAt = new Map<string, number>()
  const runOnce = async (id: string, run: () => Promise<string>): Promise<void> => {
    if (performance.now() - (passedAt.get(id) ?? Number.NEGATIVE_INFINITY) < KNOWN_MS) return
    if (await consul.passCheck(node, id, await run())) passedAt.set(id, performance.now())
  }
  const look = async (): Promise<true> => {
    const checks = (await consul.checksStale()).filter((check) => check.node === node)
    const own = new Map(checks.map((check) => [check.checkId, check]))
    const failing = required.filter((id) => own.get(id)?.status !== 'passing')
    if (failing.length === 0) return true
    const problems = failing.map(async (id) => {
      const run = runs.get(id)
      const said = own.get(id)?.output.trim() || 'no answer yet'
      const why = run && (await runOnce(id, run).then(() => null, explain))
      return `${id}: ${why ?? said}`
    })
    throw new Error((await Promise.all(problems)).join('; '))
  }
  await waitFor(`the checks of ${node} to pass (${required.join(', ')})`, CHECKS_MS, look, CHECKS_EVERY_MS)
}
