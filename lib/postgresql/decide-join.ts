import { EXIT, UnderstudyError } from '../core/errors.ts'
import { howToMove, type PlaceFacts, whyNotReplaced } from './decide-directory.ts'
import type { ConfiguredParameter } from './decide-parameters.ts'
import { isSecretOf } from './scram.ts'

/** A machine that is this far off cannot be trusted with time-outs and certificates. */
const CLOCK_TOLERANCE_MS = 5000

const refuse = (message: string): UnderstudyError => new UnderstudyError(EXIT.config, message)

/** Where Debian's first cluster listens, and where clients look for it. */
const USUAL_PORT = 5432

/** A PostgreSQL cluster of this machine, as pg_lsclusters(1) lists it. */
export interface InstalledCluster {
  version: number
  name: string
  port: number
  online: boolean
  owner: string
  data: string
}

/** @param text what `pg_lsclusters --no-header` prints. */
export const parseClusters = (text: string): InstalledCluster[] =>
  text
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => columns.length >= 6)
    .map(([version = '', name = '', port = '', status = '', owner = '', data = '']) => ({
      ...{ version: Number(version), name, port: Number(port), owner, data },
      online: status.startsWith('online'),
    }))

/**
 * Which PostgreSQL becomes a part of the cluster: the version of the cluster, for a new cluster the newest.
 *
 * @param clusters all of this machine.
 * @param wanted the cluster's major version, null where there is no cluster yet.
 * @throws one sentence where it is not here.
 */
export function chooseCluster(
  clusters: readonly InstalledCluster[],
  wanted: number | null,
): InstalledCluster {
  const here = clusters.filter(({ name }) => name === 'main').sort((a, b) => a.version - b.version)
  if (here.length === 0)
    throw refuse('there is no PostgreSQL cluster named main; create one with pg_createcluster')
  const chosen = wanted === null ? here.at(-1) : here.find(({ version }) => version === wanted)
  if (chosen) return chosen
  throw refuse(
    `the cluster runs PostgreSQL ${wanted}, this machine has ${here.map(({ version }) => version).join(', ')}; install postgresql-${wanted}`,
  )
}

/**
 * The port that main is to have: that of the cluster's members, else its own.
 * @throws where another cluster of this machine has it, or has the port that clients expect to be main's.
 */
export function choosePort(
  main: InstalledCluster,
  clusters: readonly InstalledCluster[],
  wanted: number | null,
): number {
  const port = wanted ?? main.port
  const others = clusters.filter((one) => one.name !== main.name || one.version !== main.version)
  const other = others.find((one) => one.port === port || (wanted === null && one.port === USUAL_PORT))
  if (other === undefined) return port
  throw refuse(
    `port ${other.port} belongs to the PostgreSQL cluster ${other.version}/${other.name} of this machine, and main has port ${main.port}; give main port ${wanted ?? USUAL_PORT} and the other one another port (port in postgresql.conf), and restart both`,
  )
}

/** What else a join asks of main's place on the machine. */
export interface MainFacts extends PlaceFacts {
  main: InstalledCluster
  /** The first word of start.conf. */
  start: string
  /** What systemd says of its unit. */
  unitState: string
}

/** @throws one sentence where main is not as Debian makes it, so that a copy could not take its place or systemd would not start it. */
export function checkMain({ main, start, unitState, ...found }: MainFacts): void {
  const { place, kind } = found
  const { version, owner, data, online } = main
  const called = `PostgreSQL ${version}/main`
  if (data !== place)
    throw refuse(`the data of ${called} is in ${data}, not in ${place}; ${howToMove(place)}`)
  const why = whyNotReplaced(found)
  if (why !== null) throw refuse(why)
  // Of a directory that is missing pg_lsclusters knows no owner.
  if (owner !== 'postgres' && kind !== 'missing')
    throw refuse(`${called} belongs to the system user ${owner}; give it to postgres, as Debian does`)
  if (start !== 'auto')
    throw refuse(
      `${called} is not started at boot: /etc/postgresql/${version}/main/start.conf says "${start}"; write "auto" there and run systemctl daemon-reload`,
    )
  if (online && (unitState === 'inactive' || unitState === 'failed'))
    throw refuse(
      `${called} was not started by systemd: postgresql@${version}-main.service is ${unitState}; stop it (pg_ctl stop) and start that unit`,
    )
}

/** What main says of itself before anything is changed. */
export interface OpeningFacts {
  dataDirectory: string
  hbaFile: string
  identFile: string
  synchronous: string
  /** It is in recovery. */
  standby: boolean
  lines: readonly ConfiguredParameter[]
  /** Names of parameters that the command line sets, so that no file can. */
  commandLine: readonly string[]
}

/** PostgreSQL's words for a parameter that waits for a restart: no fault of the file. */
const NEEDS_RESTART = 'setting could not be applied'

/** Why a standby that is no copy of the cluster's primary cannot join. */
export const sayStandby = (version: number): string =>
  `PostgreSQL ${version}/main is a standby of a server that is no member; join that machine first, or promote this one (pg_ctlcluster ${version} main promote)`

/** @throws one sentence where the settings of main are not as a member can have them. @param ours names of the parameters that we set. */
export function checkOpening(facts: OpeningFacts, version: number, ours: readonly string[]): void {
  const { lines, commandLine, synchronous } = facts
  const directory = `/etc/postgresql/${version}/main`
  if (facts.standby) throw refuse(sayStandby(version))
  const places = [
    ['data_directory', facts.dataDirectory, `/var/lib/postgresql/${version}/main`],
    ['hba_file', facts.hbaFile, `${directory}/pg_hba.conf`],
    ['ident_file', facts.identFile, `${directory}/pg_ident.conf`],
  ] as const
  for (const [name, value, place] of places)
    if (value !== place) throw refuse(`${name} of PostgreSQL ${version}/main is ${value}; let it be ${place}`)
  const wrong = lines.find(({ error }) => error !== null && error !== NEEDS_RESTART)
  if (wrong)
    throw refuse(
      `${wrong.file} line ${wrong.line} would keep PostgreSQL from starting (${wrong.error}); correct it first`,
    )
  const fixed = ours.find((name) => commandLine.includes(name))
  if (fixed !== undefined)
    throw refuse(
      `${fixed} is set on PostgreSQL's command line, where no file can change it; move it from ${directory}/pg_ctl.conf to postgresql.conf`,
    )
  if (synchronous !== '')
    throw refuse(
      `synchronous_standby_names is "${synchronous}", but understudy sets it for its own members; remove it, and the standbys that it names, first`,
    )
}

export interface FoundRole {
  name: string
  secret: string | null
  login: boolean
  superuser: boolean
  replication: boolean
  /** Its VALID UNTIL has passed. */
  expired: boolean
  /** Its CONNECTION LIMIT is not 0. */
  mayConnect: boolean
}

export interface RoleFacts {
  /** The application's. */
  user: string
  /** Its password, if the operator gives it, or if an earlier join has kept it here. */
  password: string | null
  /** Those of ours that exist. */
  roles: readonly FoundRole[]
  /** There is a database named repmgr. */
  repmgrDatabase: boolean
  /** Those of the application's that exist, and that it cannot connect to. */
  closedDatabases: readonly string[]
}

/** @throws one sentence where a role or database that is there is used by somebody else. */
export function checkRoles({ user, password, roles, ...facts }: RoleFacts): void {
  const role = (name: string): FoundRole | undefined => roles.find((one) => one.name === name)
  // Nobody else makes a role of that name: an earlier cluster of ours has left what is here.
  const wasMember = role('understudy_monitor') !== undefined
  const inUse = role('repmgr')
    ? 'there is a role repmgr'
    : facts.repmgrDatabase
      ? 'there is a database repmgr'
      : null
  if (inUse !== null && !wasMember)
    throw refuse(
      `${inUse}, and understudy needs a repmgr of its own; end the other use, and drop that database and role`,
    )
  const [closed] = facts.closedDatabases
  if (closed !== undefined)
    throw refuse(
      `the database ${closed} exists and takes no connections from ${user}; allow them (grant connect, alter database), or choose another one with --database`,
    )
  const own = role(user)
  if (own === undefined) return
  const obstacle = whyNoLogin(own)
  if (obstacle !== null)
    throw refuse(`the role ${user} exists and ${obstacle}; alter it, or choose another one with --user`)
  if (own.secret === null || (password !== null && isSecretOf(user, password, own.secret))) return
  throw refuse(
    password === null
      ? `the role ${user} exists with a password that its clients know; give it with --password-file FILE, or choose another role with --user`
      : `the role ${user} exists, but its password is not the one given; correct the file, or choose another role with --user`,
  )
}

/** Why a role cannot log in through PgBouncer: see the function that PgBouncer asks. */
function whyNoLogin({ login, superuser, replication, expired, mayConnect }: FoundRole): string | null {
  if (!login) return 'may not log in'
  if (!mayConnect) return 'may have no connections (CONNECTION LIMIT 0)'
  if (superuser) return 'is a superuser, which cannot log in through PgBouncer'
  if (replication) return 'has REPLICATION, with which it cannot log in through PgBouncer'
  if (expired) return 'has a password that is no longer valid (VALID UNTIL)'
  return null
}

/** @throws where the clocks of this machine and of the primary are too far apart. */
export function checkClock(ownMs: number, primaryMs: number): void {
  const aheadMs = ownMs - primaryMs
  if (Math.abs(aheadMs) <= CLOCK_TOLERANCE_MS) return
  const seconds = Math.round(Math.abs(aheadMs) / 1000)
  throw refuse(
    `the clock of this machine is ${seconds} s ${aheadMs > 0 ? 'ahead of' : 'behind'} the primary's; correct it first (timedatectl)`,
  )
}
