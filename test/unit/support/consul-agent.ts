/** A real Consul on this host, a cluster of one machine, with nothing on disk. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { Consul } from '../../../lib/consul/client.ts'
import { waitFor } from '../../../lib/core/wait.ts'
import { imagesDir } from '../../lab/lib/state.ts'

/** The program of the host, or that of a machine of the lab. */
function findProgram(): string | undefined {
  const images = existsSync(imagesDir) ? readdirSync(imagesDir) : []
  const paths = ['/usr/bin/consul', ...images.map((image) => join(imagesDir, image, 'root/usr/bin/consul'))]
  return paths.find((path) => existsSync(path))
}
const program = findProgram()

/** Why these tests cannot run here, or false. */
export const noConsul = program === undefined && 'needs Consul, or an image of the lab'

/** A busy host takes seconds to start it. */
const START_MS = 30_000

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

export interface ConsulAgent {
  port: number
  /** The name of its only machine. */
  node: string
  consul: Consul
  stop(): Promise<void>
}

export async function startConsul(): Promise<ConsulAgent> {
  const [http, server, lan, wan] = await Promise.all([freePort(), freePort(), freePort(), freePort()])
  const node = 'n1'
  const ports = `http = ${http}, server = ${server}, serf_lan = ${lan}, serf_wan = ${wan}, dns = -1, grpc = -1`
  const settings = ['-hcl', `ports = { ${ports} }`, '-node', node, '-bind', '127.0.0.1']
  const child = spawn(program ?? '', ['agent', '-dev', ...settings], { stdio: 'ignore' })
  const consul = new Consul({ port: http })
  await waitFor('Consul to have a leader', START_MS, async () =>
    (await consul.leader()) && (await consul.checks(['serfHealth'])).length > 0 ? true : null,
  )
  return {
    ...{ port: http, node, consul },
    async stop() {
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    },
  }
}
