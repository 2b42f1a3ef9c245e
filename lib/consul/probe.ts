import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { EXIT, UnderstudyError } from '../core/errors.ts'
import { addressTowards } from '../core/source-address.ts'
import { waitFor } from '../core/wait.ts'
import { Consul } from './client.ts'
import { renderConsulProbe } from './config.ts'
import { DEFAULT_REALM } from './realm.ts'
import { TemporaryAgent } from './temporary-agent.ts'

export const SERF_PORT = 8301
/** How long a member may take to accept a connection before the next address is tried. */
const CONNECT_MS = 3000
/** How long the temporary agent may take to join: it retries every second. */
const JOIN_MS = 15_000

/** What was read through a temporary agent. */
export interface ThroughProbe<T> {
  result: T
  /** The agent has left the cluster, and its directory is gone. That takes four seconds, for which nothing else has to wait. */
  left: Promise<void>
}

/**
 * Reads from the cluster of a member before this machine is part of it: a Consul client with ports of its own and a temporary
 * directory joins for a moment, `look` reads through it, and it leaves again. Where `look` throws, it has left by then.
 */
export async function throughProbe<T>(
  addresses: readonly string[],
  node: string,
  look: (consul: Consul) => Promise<T>,
): Promise<ThroughProbe<T>> {
  const member = await firstAnswering(addresses)
  const probe = { name: `${node}-joining-${randomBytes(3).toString('hex')}`, member }
  const first = await tryDatacenter({ ...probe, datacenter: DEFAULT_REALM.datacenter }, look)
  if ('result' in first) return first
  const second = await tryDatacenter({ ...probe, datacenter: first.datacenter }, look)
  if ('result' in second) return second
  throw new UnderstudyError(
    EXIT.unavailable,
    `the Consuls that ${member} knows are of different datacenters: ${first.datacenter} and ${second.datacenter}`,
  )
}

interface ProbeOptions {
  name: string
  /** The address of a member. */
  member: string
  datacenter: string
}

/** @returns what `look` has read, or the datacenter that the member is in: Consul says it to whom it turns away. */
async function tryDatacenter<T>(
  { name, member, datacenter }: ProbeOptions,
  look: (consul: Consul) => Promise<T>,
): Promise<ThroughProbe<T> | { datacenter: string }> {
  const directory = mkdtempSync(`${tmpdir()}/understudy-probe-`)
  const [http, serf] = [await freePort(), await freePort()]
  writeFileSync(
    `${directory}/probe.json`,
    renderConsulProbe({
      ...{ name, datacenter, http, serf },
      bind: await addressTowards(member),
      join: member,
      dataDirectory: `${directory}/data`,
    }),
  )
  const agent = new TemporaryAgent(`${directory}/probe.json`)
  const consul = new Consul({ port: http })
  const leave = async (): Promise<void> => {
    await agent.leave()
    rmSync(directory, { recursive: true, force: true })
  }
  try {
    const other = await untilJoined(agent, consul, member)
    if (other === null) return { result: await look(consul), left: leave() }
    agent.kill()
    await leave()
    return { datacenter: other }
  } catch (error) {
    await leave()
    throw error
  }
}

/** agent/consul/merge.go, from 0.5 to the present. */
const WRONG_DATACENTER = /part of wrong datacenter '([^']+)'/

/**
 * @returns null, or the other datacenter that the member is in.
 * @throws with what the agent printed last, where it ends or does not get in.
 */
async function untilJoined(agent: TemporaryAgent, consul: Consul, member: string): Promise<string | null> {
  const otherDatacenter = (): string | null => WRONG_DATACENTER.exec(agent.printed)?.[1] ?? null
  try {
    await waitFor(
      `an answer of the Consul at ${member}`,
      JOIN_MS,
      async () => otherDatacenter() ?? (agent.ended || consul.leader()),
    )
  } catch (cause) {
    throw new UnderstudyError(
      EXIT.retry,
      `the temporary Consul agent could not join the Consul at ${member} (${agent.lastLines})`,
      { cause },
    )
  }
  if (agent.ended)
    throw new UnderstudyError(
      EXIT.unavailable,
      `the temporary Consul agent ended before it joined the Consul at ${member}: ${agent.lastLines}`,
    )
  return otherDatacenter()
}

async function firstAnswering(addresses: readonly string[]): Promise<string> {
  for (const address of addresses) if (await answersAt(address, SERF_PORT)) return address
  throw new UnderstudyError(
    EXIT.unavailable,
    `no Consul answers at ${addresses.join(' or ')} (port ${SERF_PORT}); give the address of a running member`,
  )
}

/** Does something accept connections there? */
export function answersAt(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: CONNECT_MS })
    const done = (answer: boolean): void => {
      socket.destroy()
      resolve(answer)
    }
    socket
      .once('connect', () => done(true))
      .once('error', () => done(false))
      .once('timeout', () => done(false))
  })
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}
