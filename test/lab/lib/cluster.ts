/** A cluster on a lab: what a person would do on the machines, in functions. Used by the tests and by the demo. */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { explain } from '../../../lib/core/errors.ts'
import { UNKNOWN } from '../../../lib/core/unknown.ts'
import { waitFor } from '../../../lib/core/wait.ts'
import type { StatusDocument } from '../../../lib/status/facts.ts'
import type { ExecResult } from './exec.ts'
import type { Lab } from './lab.ts'

export const VIRTUAL_IP = '10.77.0.100'
const JOIN_MS = 180_000
/** A look costs a machine the start of a program: too many would hinder what it looks at. */
const STATUS_EVERY_MS = 1500

/** The package that `npm run package` made. */
export function packageFile(): string {
  const dist = fileURLToPath(new URL('../../../dist/', import.meta.url))
  const deb = readdirSync(dist).find((name) => name.endsWith('.deb'))
  if (!deb) throw new Error('there is no package in dist/; make it with npm run package')
  return dist + deb
}

/** Runs `understudy join`, with the arguments of the first machine where no member is named. */
export function join(
  lab: Lab,
  machine: string,
  member?: string,
  extra: readonly string[] = [],
): Promise<ExecResult> {
  const role =
    member === undefined ? ['--virtual-ip', `${VIRTUAL_IP}/24`] : ['--consul-join', addressOf(lab, member)]
  return lab.exec(machine, ['understudy', 'join', ...role, ...extra], { timeoutMs: JOIN_MS, reject: false })
}

/** As {@link join}, where anything but a success is a failure of the test. */
export async function mustJoin(
  lab: Lab,
  machine: string,
  member?: string,
  extra?: readonly string[],
): Promise<string> {
  const { exitCode, stdout, stderr } = await join(lab, machine, member, extra)
  if (exitCode !== 0) throw new Error(`${machine} did not join (${exitCode}):\n${stdout}\n${stderr}`)
  return stdout
}

/** Installs the package everywhere and makes all machines one cluster: n1 first, the others at the same moment. */
export async function formCluster(lab: Lab, extra?: readonly string[]): Promise<void> {
  await lab.installPackage(packageFile())
  const [first, ...others] = lab.machines.map(({ name }) => name) as [string, ...string[]]
  await mustJoin(lab, first, undefined, extra)
  await Promise.all(others.map((name) => mustJoin(lab, name, first)))
}

export function addressOf(lab: Lab, machine: string): string {
  const found = lab.machines.find(({ name }) => name === machine)
  if (!found) throw new Error(`there is no machine ${machine} in lab ${lab.name}`)
  return found.address
}

const withUnknown = (_key: string, value: unknown): unknown => (value === 'unknown' ? UNKNOWN : value)

/** `understudy status --json` as a machine sees it. */
export async function statusFrom(lab: Lab, machine: string): Promise<StatusDocument> {
  const { stdout, stderr } = await lab.exec(machine, ['understudy', 'status', '--json'], { reject: false })
  try {
    return JSON.parse(stdout, withUnknown) as StatusDocument
  } catch (cause) {
    throw new Error(`${machine} has no status: ${stderr}`, { cause })
  }
}

/** Waits until a machine sees everything in order, as `understudy status` judges it. @returns that status. */
export function untilHealthy(lab: Lab, machine: string, timeoutMs = 180_000): Promise<StatusDocument> {
  return waitFor(
    `${machine} sees a healthy cluster`,
    timeoutMs,
    async () => {
      const status = await statusFrom(lab, machine)
      if (status.healthy) return status
      throw new Error(status.problems.join('; '))
    },
    STATUS_EVERY_MS,
  )
}

/** The primary and the standbys of a cluster, once a machine sees it in order. */
export async function primaryAndStandbys(
  lab: Lab,
  machine: string,
): Promise<{ primary: string; standbys: string[] }> {
  const { primary, machines } = await untilHealthy(lab, machine)
  assert.ok(typeof primary === 'string')
  return { primary, standbys: machines.map(({ name }) => name).filter((name) => name !== primary) }
}

/** Who is the primary, once a machine knows. */
export const untilPrimary = (lab: Lab, machine: string): Promise<string> =>
  waitFor(`${machine} knows the primary`, 60_000, async () => {
    const { primary } = await statusFrom(lab, machine)
    return typeof primary === 'string' ? primary : null
  })

/** Joins by a member; on a busy host a daemon may answer too late, and then the same command is run again. */
export const joinInTime = (lab: Lab, machine: string, member?: string): Promise<true> =>
  waitFor<true>(`${machine} joins`, 300_000, async () => {
    const { exitCode, stdout, stderr } = await join(lab, machine, member)
    if (exitCode === 0) return true
    throw new Error(`${exitCode}: ${stdout}\n${stderr}`)
  })

/** The application's password, as a machine that can be asked has it. */
export async function appPassword(lab: Lab, machine: string): Promise<string> {
  const { stdout } = await lab.exec(machine, ['cat', '/etc/understudy/app.pgpass'])
  return stdout.trim().split(':').at(-1) ?? ''
}

/** What join sets up unless it is told otherwise. */
const APP = { database: 'app', user: 'app' }

const psql = ({ database, user }: typeof APP, host: string, text: string): string[] => [
  ...[
    'psql',
    '-XAtq',
    '-v',
    'ON_ERROR_STOP=1',
    '-h',
    host,
    '-p',
    '6432',
    '-U',
    user,
    '-d',
    database,
    '-c',
    text,
  ],
]

/**
 * SQL of a client somewhere in the network, through the virtual IP.
 * @param options.connectS how long it waits for a connection, in seconds; 0: as long as it is let.
 * @returns what it printed.
 */
export async function sqlThroughVirtualIp(
  lab: Lab,
  password: string,
  text: string,
  { app = APP, connectS = 10, timeoutMs = 20_000 } = {},
): Promise<string> {
  const env = { PGPASSWORD: password, PGCONNECT_TIMEOUT: String(connectS) }
  return (await lab.clientExec(psql(app, VIRTUAL_IP, text), { env, timeoutMs })).stdout.trim()
}

let triedRows = 0

/**
 * Waits until a client's write through the virtual IP is acknowledged. Each try writes a row of its own: one whose answer was
 * lost may be there all the same.
 *
 * @param timeoutMs 0: one try.
 * @returns the row that was acknowledged.
 * @throws after the deadline, with what became of every try.
 */
export async function untilWritable(
  lab: Lab,
  password: string,
  timeoutMs: number,
  app = APP,
): Promise<number> {
  const tries: string[] = []
  return waitFor('a client can write through the virtual IP', timeoutMs, async () => {
    const started = performance.now()
    triedRows += 1
    const row = -triedRows
    try {
      await sqlThroughVirtualIp(lab, password, `insert into written (value) values (${row})`, { app })
      return row
    } catch (cause) {
      tries.push(`after ${Math.round(performance.now() - started)} ms: ${explain(cause)}`)
      throw new Error(tries.join('\n'), { cause })
    }
  })
}

/** SQL of a service on a machine, through its own PgBouncer on localhost. @returns what it printed. */
export async function sqlOnLocalhost(lab: Lab, machine: string, text: string): Promise<string> {
  const env = { PGPASSFILE: '/etc/understudy/app.pgpass', PGCONNECT_TIMEOUT: '10' }
  return (await lab.exec(machine, psql(APP, 'localhost', text), { env, timeoutMs: 20_000 })).stdout.trim()
}

/** Address of the database that a client of a machine's PgBouncer is led to; an error where it is led nowhere. */
export async function poolerAnswer(lab: Lab, machine: string): Promise<string> {
  const env = { PGPASSFILE: '/etc/understudy/app.pgpass', PGCONNECT_TIMEOUT: '2' }
  const argv = psql(APP, 'localhost', 'select host(inet_server_addr())')
  return (await lab.exec(machine, argv, { env, timeoutMs: 4000 })).stdout.trim()
}

/** SQL as the superuser on a machine's own database, whatever its role. @returns what it printed. */
export async function sqlAsPostgres(
  lab: Lab,
  machine: string,
  text: string,
  database = APP.database,
): Promise<string> {
  const argv = ['runuser', '-u', 'postgres', '--', 'psql', '-XAtq', '-d', database, '-c', text]
  return (await lab.exec(machine, argv, { timeoutMs: 60_000 })).stdout.trim()
}

/** The machines that have the virtual IP on an interface. Machines that are off are not asked. */
export async function holdersOf(
  lab: Lab,
  machines: readonly string[],
  address = VIRTUAL_IP,
): Promise<string[]> {
  const holds = await Promise.all(
    machines.map(async (machine) =>
      (await lab.exec(machine, ['ip', '-4', '-o', 'address'])).stdout.includes(` ${address}/`),
    ),
  )
  return machines.filter((_machine, index) => holds[index])
}

/** The address a machine's PgBouncer sends its clients to, from the file it includes. */
export async function poolerTarget(lab: Lab, machine: string, database = APP.database): Promise<string> {
  const { stdout } = await lab.exec(machine, ['cat', '/run/understudy/pgbouncer/databases.ini'])
  return new RegExp(`^${database} = host=(\\S+)`, 'm').exec(stdout)?.[1] ?? ''
}
