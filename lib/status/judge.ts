import { components } from '../components.ts'
import { checkIdsOf } from '../consul/definitions.ts'
import { EXIT } from '../core/errors.ts'
import { UNKNOWN } from '../core/unknown.ts'
import { lackText } from '../files/decide-copy.ts'
import { renderDatabases } from '../pooler/config.ts'
import type { Machine, Pooler, Report, StatusDocument, Verdict } from './facts.ts'

/** Exit code of `understudy status` where the cluster can be looked at but is not healthy. */
const UNHEALTHY = 2

/** The smallest cluster that can lose a machine and still elect. */
const FAILOVER_MACHINES = 3

/** What every machine has to have in Consul. */
const EXPECTED_CHECKS = checkIdsOf(components)

/** Compares a report with a healthy cluster: pure, one sentence for every deviation, the cluster's before the machines'. */
export function judge(report: Report): Verdict {
  const problems = [
    ...consulProblems(report),
    ...leadershipProblems(report),
    ...electionProblems(report),
    ...virtualIpProblems(report),
    ...report.machines.flatMap((machine) => machineProblems(machine, report)),
  ]
  // Nothing is called healthy that could not be seen.
  if (problems.length === 0) {
    problems.push(
      ...report.unknown.map(({ machine, what }) => `${machine ? `${what} of ${machine}` : what}: not known`),
    )
  }
  return {
    healthy: problems.length === 0,
    summary: summaryOf(report, problems),
    problems,
    notes: notesOf(report),
  }
}

/** The whole of what `--json` prints. */
export const documentOf = (report: Report): StatusDocument => ({ schema: 1, ...judge(report), ...report })

export function exitCodeOf({ healthy, consul }: Pick<StatusDocument, 'healthy' | 'consul'>): number {
  if (!consul.answers) return EXIT.unavailable
  return healthy ? EXIT.ok : UNHEALTHY
}

/** Where a PgBouncer points, in one word. */
export function targetOf({ host, port, target }: Pooler): string {
  if (target !== null) return target
  const rendered = renderDatabases('', { address: host, port })
  return rendered === renderDatabases('', null) ? 'nobody' : `${host}:${port}`
}

function summaryOf({ primary, virtualIp, machines }: Report, problems: readonly string[]): string {
  if (problems.length > 0) return `not healthy: ${problems.join('; ')}`
  const holder = machines.find((machine) => machine.virtualIp === 'holder')?.name
  return `healthy: ${String(primary)} is the primary${holder === primary ? ' and' : `, ${holder}`} holds ${virtualIp}`
}

function notesOf({ machines, joining, consul, election }: Report): string[] {
  const notes = joining.map((name) => `${name} runs a Consul server but has not joined (yet)`)
  if (consul.answers && machines.length < FAILOVER_MACHINES) {
    const count = machines.length === 1 ? 'one machine' : 'two machines'
    notes.push(`no failover is possible with ${count}; it takes ${FAILOVER_MACHINES}`)
  }
  if (election !== UNKNOWN && election !== null && election.voters.length > 0) {
    const missing = machines
      .map(({ name }) => name)
      .filter((name) => name !== election.node && !election.voters.includes(name))
    if (missing.length > 0)
      notes.push(`${missing.join(' and ')} may not take over until all that was acknowledged is there`)
  }
  return [...notes, ...machines.flatMap(filesNotes)]
}

function filesNotes({ name, files }: Machine): string[] {
  if (files === UNKNOWN || files === null) return []
  return files.folders
    .filter((copy) => copy.files > 0)
    .map((copy) => `${name} lacks ${lackText(copy)} of the folder ${copy.label}`)
}

function consulProblems({ consul, observer }: Report): string[] {
  if (!consul.answers)
    return [`Consul does not answer on ${observer}: only ${observer} itself can be looked at`]
  if (consul.leader === null)
    return ['Consul has no leader (no majority of the servers): failover is suspended']
  if (consul.leader === UNKNOWN) return [`Consul on ${observer} does not say whether it has a leader`]
  return []
}

function leadershipProblems({ lock, published, primary, machines, consul }: Report): string[] {
  if (!consul.answers) return []
  if (lock === UNKNOWN || published === UNKNOWN) return ['who holds the lock of the primary cannot be read']
  if (published === null) return ['no primary was published yet']
  const { node } = published
  if (!machines.some(({ name }) => name === node))
    return [`${node} is published as the primary but is not a member`]
  if (primary !== null) return []
  if (!lock?.held) return [`nobody holds the lock of the primary (${node} is published)`]
  if (lock.node !== node) return [`${lock.node} holds the lock, but ${node} is published as the primary`]
  return [
    `${node} holds the lock under epoch ${lock.epoch}, but was published under epoch ${published.epoch}`,
  ]
}

/** A cluster whose primary could not be replaced is not healthy, even if everything runs. */
function electionProblems({ election, primary, machines, durability }: Report): string[] {
  const streams = machines.some(
    ({ postgresql }) => postgresql !== UNKNOWN && 'streaming' in postgresql && postgresql.streaming,
  )
  if (durability === 'strict' && primary && primary !== UNKNOWN && !streams)
    return ['writes wait: no standby streams, and durability is strict']
  if (machines.length < FAILOVER_MACHINES || election === UNKNOWN || primary === UNKNOWN || primary === null)
    return []
  if (election !== null && election.node === primary && election.voters.length > 0) return []
  return [
    `nobody may take over from ${String(primary)}: no standby is known to have all that was acknowledged`,
  ]
}

function virtualIpProblems({ machines, virtualIp, policy, primary, consul }: Report): string[] {
  const holders = machines.filter((machine) => machine.virtualIp === 'holder').map(({ name }) => name)
  const [holder, ...more] = holders
  if (more.length > 0) return [`${holders.join(' and ')} hold ${virtualIp} at the same time`]
  if (holder === undefined) {
    // Without news of the others it says nothing that this machine does not hold it.
    if (!consul.answers) return []
    const known = machines.every((machine) => machine.virtualIp !== UNKNOWN)
    if (known) return [`no machine holds ${virtualIp}`]
    // Without a leader, what the others hold is not known anyway, and that is said already.
    return consul.leader === null ? [] : [`no machine is known to hold ${virtualIp}`]
  }
  const follows = policy === 'with-primary' && primary !== null && primary !== UNKNOWN
  return follows && holder !== primary ? [`${holder} holds ${virtualIp}, but ${primary} is the primary`] : []
}

function machineProblems(machine: Machine, report: Report): string[] {
  const { name, consul, voter, postgresql, pgbouncer } = machine
  if (consul === 'failed' && postgresql === UNKNOWN && pgbouncer === UNKNOWN) {
    return [`${name} does not answer: neither its Consul nor PostgreSQL nor PgBouncer`]
  }
  return [
    ...(consul === 'failed' ? [`Consul cannot reach ${name}`] : []),
    ...(voter === false
      ? [`Consul's server on ${name} has no vote (yet): it does not count for a majority`]
      : []),
    ...postgresqlProblems(machine, report),
    ...pgbouncerProblems(machine, report),
    ...keepalivedProblems(machine),
    ...filesProblems(machine, report),
    ...checkProblems(machine),
  ]
}

function postgresqlProblems({ name, postgresql }: Machine, report: Report): string[] {
  const { primary, published } = report
  if (postgresql === UNKNOWN) return [`PostgreSQL on ${name} does not answer`]
  if (postgresql.role === 'down') return [`PostgreSQL on ${name} is down`]
  const isPrimary = name === primary
  if (postgresql.role === 'primary') return primaryProblems(name, postgresql.timeline, report)
  if (isPrimary) return [`${name} is published as the primary, but its PostgreSQL is a standby`]
  if (!postgresql.streaming) return [`PostgreSQL on ${name} does not stream from the primary`]
  if (primary === null || primary === UNKNOWN || !published || published === UNKNOWN) return []
  const problems: string[] = []
  if (postgresql.upstream !== published.address) {
    problems.push(
      `PostgreSQL on ${name} streams from ${machineAt(postgresql.upstream, report)}, not from ${primary}`,
    )
  }
  if (postgresql.timeline !== published.timeline) {
    problems.push(`${name} is on timeline ${postgresql.timeline}, the primary on ${published.timeline}`)
  }
  return problems
}

function primaryProblems(name: string, timeline: number, { primary, published }: Report): string[] {
  if (primary === UNKNOWN) return []
  if (primary === null) return [`PostgreSQL on ${name} runs as a primary without the lock`]
  if (name !== primary) return [`PostgreSQL on ${name} runs as a primary, but ${primary} is the primary`]
  if (!published || published === UNKNOWN || published.timeline === timeline) return []
  return [`${name} is on timeline ${timeline}, but was published on timeline ${published.timeline}`]
}

const machineAt = (address: string | null, { machines }: Report): string =>
  machines.find((machine) => machine.address === address)?.name ?? address ?? 'nobody'

function pgbouncerProblems({ name, pgbouncer }: Machine, { primary }: Report): string[] {
  if (pgbouncer === UNKNOWN) return [`PgBouncer on ${name} does not answer`]
  if (pgbouncer === null) return [`PgBouncer on ${name} does not know the database`]
  const problems: string[] = []
  if (primary !== null && primary !== UNKNOWN && pgbouncer.target !== primary) {
    problems.push(`PgBouncer on ${name} points at ${targetOf(pgbouncer)}, not at ${primary}`)
  }
  if (pgbouncer.paused) problems.push(`PgBouncer on ${name} holds its clients back`)
  return problems
}

function keepalivedProblems({ name, virtualIp }: Machine): string[] {
  if (virtualIp === 'fault') return [`keepalived on ${name} has a fault and cannot hold the virtual IP`]
  if (virtualIp === 'stopped') return [`keepalived on ${name} is stopped`]
  return []
}

/** Being behind is no deviation; what is wrong with a folder on a machine, or with its connections, its own check says. */
function filesProblems({ name, files }: Machine, { folders }: Report): string[] {
  if (folders === null || folders === UNKNOWN || files !== null) return []
  return [`${name} does not replicate files yet; run understudy join again there`]
}

function checkProblems({ name, checks }: Machine): string[] {
  if (checks === UNKNOWN) return []
  const missing = EXPECTED_CHECKS.filter((expected) => !checks.some(({ id }) => id === expected))
  return [
    ...missing.map((id) => `Consul has no check ${id} of ${name}`),
    ...checks
      .filter(({ status }) => status !== 'passing')
      .map(
        ({ id, status, output }) => `the check ${id} of ${name} is ${status}${output ? `: ${output}` : ''}`,
      ),
  ]
}
