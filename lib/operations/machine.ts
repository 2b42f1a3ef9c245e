import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { hostname, networkInterfaces } from 'node:os'
import { consulPaths } from '../consul/manifest.ts'
import { run, tryRun } from '../core/exec.ts'
import { parseCidr } from '../core/network.ts'
import { readSettings, type Settings } from '../core/settings.ts'

interface Device {
  name: string
  address: string
  prefix: number
}

/** What a join needs to know of the machine before it changes anything. */
export interface MachineFacts {
  root: boolean
  node: string
  machineId: string
  devices: Device[]
  /** Programs that should be there and are not, with the packages they come from. */
  missing: string[]
  /** Major versions of PostgreSQL that have a cluster named main, ascending. */
  postgresqlVersions: number[]
  /** What the machine knows of itself as a member, from an earlier join. */
  settings: Settings | null
  /** A Consul that is not ours has data here. */
  foreignConsul: boolean
  nowMs: number
}

/** Programs, and the packages that have them. */
const NEEDED = {
  '/usr/bin/consul': 'consul',
  '/usr/sbin/keepalived': 'keepalived',
  '/usr/sbin/pgbouncer': 'pgbouncer',
  '/usr/bin/pg_lsclusters': 'postgresql',
  '/usr/bin/repmgr': 'repmgr',
  '/usr/bin/syncthing': 'syncthing',
  '/usr/bin/arping': 'iputils-arping',
  '/usr/bin/flock': 'util-linux',
  '/usr/bin/systemctl': 'systemd',
} as const

export async function readMachine(): Promise<MachineFacts> {
  const missing = Object.entries(NEEDED)
    .filter(([program]) => !existsSync(program))
    .map(([, name]) => name)
  return {
    root: process.getuid?.() === 0,
    node: hostname().split('.')[0] ?? '',
    machineId: machineId(),
    devices: readDevices(),
    missing,
    postgresqlVersions: missing.includes('postgresql') ? [] : await readVersions(),
    settings: readSettings(),
    foreignConsul: !existsSync(consulPaths.config) && existsSync(`${consulData()}/raft`),
    nowMs: Date.now(),
  }
}

/** systemd's machine id must not be shown to others as it is (machine-id(5)): a hash of it serves as well. */
const machineId = (): string =>
  createHash('sha256')
    .update(`understudy:${readFileSync('/etc/machine-id', 'utf8').trim()}`)
    .digest('hex')
    .slice(0, 32)

function readDevices(): Device[] {
  return Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
    addresses
      .filter(({ family, internal, cidr }) => family === 'IPv4' && !internal && cidr !== null)
      .map(({ address, cidr }) => ({ name, address, prefix: parseCidr(cidr ?? '')?.prefix ?? 32 })),
  )
}

async function readVersions(): Promise<number[]> {
  const lines = (await run('pg_lsclusters', ['--no-header'])).split('\n')
  return lines
    .map((line) => line.trim().split(/\s+/))
    .filter(([, cluster]) => cluster === 'main')
    .map(([version]) => Number(version))
    .sort((a, b) => a - b)
}

/** HashiCorp's package keeps Consul's data in /opt/consul, Debian's in /var/lib/consul. */
export const consulData = (): string => (existsSync('/opt/consul') ? '/opt/consul' : consulPaths.data)

/** Does anybody answer to this address? Asks twice, as duplicate address detection does (arping(8), -D). */
export async function answersToArp(device: string, address: string): Promise<boolean> {
  const { exitCode } = await tryRun('arping', ['-D', '-q', '-c', '2', '-w', '2', '-I', device, address], {
    timeoutMs: 5000,
  })
  return exitCode === 1
}
