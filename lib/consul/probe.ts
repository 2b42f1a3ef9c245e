import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { EXIT, UnderstudyError, usageError } from '../core/errors.ts'
import { waitFor } from '../core/wait.ts'
import { Consul } from './client.ts'
import { renderConsulProbe } from './config.ts'

const SERF_PORT = 8301
const CONNECT_MS = 3000
const JOIN_MS = 15_000
const LEAVE_MS = 5000

/**
 * Looks into the cluster that a member's address leads to, before this machine has become a part of anything: a Consul
 * client of its own ports and a temporary directory joins for a moment, `look` reads through it, and it leaves again.
 */
export async function throughProbe<T>(
  addresses: readonly string[],
  node: string,
  look: (consul: Consul) => Promise<T>,
): Promise<T> {
  const member = await firstAnswering(addresses)
  const directory = mkdtempSync(`${tmpdir()}/understudy-probe-`)
  const [http, serf] = [await freePort(), await freePort()]
  const name = `${node}-joining-${randomBytes(3).toString('hex')}`
  writeFileSync(
    `${directory}/probe.json`,
    renderConsulProbe({
      name,
      bind: await addressTowards(member),
      join: member,
      dataDirectory: `${directory}/data`,
      http,
      serf,
    }),
  )
  // It leaves on SIGINT, which it is also sent where we are killed.
  const argv = ['--pdeathsig', 'INT', 'consul', 'agent', `-config-file=${directory}/probe.json`]
  const agent = spawn('setpriv', argv, { stdio: 'ignore' })
  const consul = new Consul({ port: http })
  try {
    const leader = await waitFor(`the Consul at ${member} lets us look`, JOIN_MS, async () =>
      agent.exitCode === null ? consul.leader() : 'none: the agent has ended',
    )
    if (agent.exitCode !== null) {
      throw new UnderstudyError(EXIT.unavailable, `the Consul at ${member} does not let us in (${leader})`)
    }
    return await look(consul)
  } finally {
    consul.close()
    await leave(agent)
    rmSync(directory, { recursive: true, force: true })
  }
}

/** On SIGINT a client leaves the cluster and ends. */
async function leave(agent: ChildProcess): Promise<void> {
  if (agent.exitCode !== null) return
  const ended = new Promise<void>((resolve) => agent.once('exit', () => resolve()))
  agent.kill('SIGINT')
  const timer = setTimeout(() => agent.kill('SIGKILL'), LEAVE_MS)
  await ended
  clearTimeout(timer)
}

async function firstAnswering(addresses: readonly string[]): Promise<string> {
  for (const address of addresses) if (await answers(address)) return address
  throw new UnderstudyError(
    EXIT.unavailable,
    `no Consul answers at ${addresses.join(' or ')} (port ${SERF_PORT}); give the address of a running member`,
  )
}

function answers(host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port: SERF_PORT, timeout: CONNECT_MS })
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

/** The address this machine has towards another: what the kernel would choose. Nothing is sent. */
function addressTowards(host: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4')
    socket.once('error', (cause) => {
      socket.close()
      reject(usageError(`there is no route to ${host}: ${cause.message}`))
    })
    socket.connect(SERF_PORT, host, () => {
      const { address } = socket.address()
      socket.close()
      resolve(address)
    })
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
