/** Builds with one safeguard taken out, each with a scenario in which it is missed. */
import { waitFor } from '../../../lib/core/wait.ts'
import { sqlAsPostgres } from '../lib/cluster.ts'
import type { Lab } from '../lib/lab.ts'
import type { Violation } from './evidence.ts'
import { type Patch, patchHandlers } from './patch.ts'
import type { Scenario } from './scenario.ts'
import { scenarios } from './scenarios.ts'

export interface BrokenBuild {
  readonly name: string
  readonly patches: readonly Patch[]
  /** What is done on a cluster that is in order, after the patches. */
  readonly prepare?: (lab: Lab) => Promise<void>
  readonly scenario: Scenario
  /** What the verdict has to say, at least. */
  readonly broken: Violation['rule']
}

function scenario(name: string): Scenario {
  const found = scenarios.find((candidate) => candidate.name === name)
  if (found === undefined) throw new Error(`there is no scenario ${name}`)
  return found
}

/** The gate takes the lock wherever it is free, and promotes whoever has it: nobody is asked what was acknowledged. */
const gateOff: Patch = {
  handlers: ['failover', 'failover-validate'],
  from: /function decideStandby\(([^)]*)\) \{/g,
  to: `function decideStandby($1) {
    if (arguments[3] === null) return { do: "lock", why: "the gate is off", modifyIndex: arguments[0].leader.modifyIndex };
    return { do: "promote", why: "the gate is off", session: arguments[3] };`,
}

/** The names of the standbys that a commit waits for go into a setting that means nothing to PostgreSQL. */
const IGNORED = 'understudy.names'
const quorumOff: Patch[] = [
  {
    handlers: ['failover', 'failover-validate'],
    from: /\bsynchronous_standby_names: /g,
    to: `"${IGNORED}": `,
  },
  {
    handlers: ['failover', 'failover-validate'],
    from: /'synchronous_standby_names'/g,
    to: `'${IGNORED}'`,
  },
  // Nobody looks whether commits do wait.
  {
    handlers: ['failover', 'failover-validate'],
    from: /function untilTakenOver\(([^)]*)\) \{/g,
    to: `function untilTakenOver($1) {
    return;`,
  },
]

/** What the cluster was made with has to go as well. */
async function forgetNames(lab: Lab): Promise<void> {
  for (const { name } of lab.machines) {
    const names = await sqlAsPostgres(lab, name, 'show synchronous_standby_names')
    await sqlAsPostgres(lab, name, `alter system set ${IGNORED} = '${names}'`)
    await sqlAsPostgres(lab, name, 'alter system set synchronous_standby_names = default')
    await sqlAsPostgres(lab, name, 'select pg_reload_conf()')
    await waitFor(
      `commits on ${name} do not wait`,
      5000,
      async () => (await sqlAsPostgres(lab, name, 'show synchronous_standby_names')) === '' || null,
    )
  }
}

/** PostgreSQL starts as whatever it was. */
const startGateOff: Patch = {
  handlers: ['start-gate'],
  from: /function decideStartGate\(([^)]*)\) \{/g,
  to: `function decideStartGate($1) {
    return { do: "allow", why: "the start gate is off" };`,
}

/** A primary that nobody follows any more goes on running. */
const fenceOff: Patch = {
  handlers: ['fence'],
  from: /function decideFence\(([^)]*)\) \{/g,
  to: `function decideFence($1) {
    return { do: "nothing", why: "the fence is off" };`,
}

/** What decides is read from whichever server answers, also from one that is cut off from the others. */
const staleReads: Patch = {
  handlers: ['fence'],
  from: /(["?])consistent\b/g,
  to: '$1stale',
}

/** A primary goes on alone as soon as no standby streams. */
const aloneAtOnce: Patch = {
  handlers: ['failover'],
  from: /\balone = [\w.]+ > ALONE_AFTER_MS\b/g,
  to: 'alone = true',
}

export const brokenBuilds: readonly BrokenBuild[] = [
  { name: 'gate off', patches: [gateOff], scenario: scenario('stale-standby'), broken: 'lost' },
  {
    name: 'quorum off',
    patches: quorumOff,
    prepare: forgetNames,
    scenario: scenario('cable-pulled-primary'),
    broken: 'lost',
  },
  // Its commits wait for standbys that have followed another: no client is told anything wrong, thanks to the quorum.
  {
    name: 'start gate off',
    patches: [startGateOff],
    scenario: scenario('returns-cut-off'),
    broken: 'returned as primary',
  },
  // A publication without check-session cannot be seen: its compare-and-set and the epoch cover for it (docs/developer/faults.md).
  // Nothing is lost, thanks to the quorum; but the virtual IP stays with a primary that cannot acknowledge anything.
  { name: 'fence off', patches: [fenceOff], scenario: scenario('cut-consul-for-good'), broken: 'too slow' },
  {
    name: 'stale reads',
    patches: [staleReads],
    scenario: scenario('cut-consul-for-good'),
    broken: 'too slow',
  },
  // Nothing is lost either: before it goes on alone, only it may lead. Then there is no failover when it is lost.
  {
    name: 'alone at once',
    patches: [aloneAtOnce],
    scenario: scenario('standbys-pause-then-primary'),
    broken: 'unexpected',
  },
]

/** Gives every machine of a cluster this build. */
export async function breakBuild(lab: Lab, { patches, prepare }: BrokenBuild): Promise<void> {
  await patchHandlers(lab, patches)
  await prepare?.(lab)
}
