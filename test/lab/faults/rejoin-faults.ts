/** Faults while a machine becomes a standby again: its WAL is gone, or it loses power in the middle of a rewind or of a clone. */
import { setTimeout as pause } from 'node:timers/promises'
import { explain } from '../../../lib/core/errors.ts'
import { waitFor } from '../../../lib/core/wait.ts'
import { sqlAsPostgres } from '../lib/cluster.ts'
import { askRoles } from './ask.ts'
import type { Fault } from './fault.ts'
import { CHECKPOINTER } from './program-faults.ts'
import type { Random } from './random.ts'
import type { Stage } from './stage.ts'

const PROMOTED_MS = 60_000
/** A rejoin that has failed for want of a primary is tried again after some seconds. */
const REJOIN_MS = 60_000
const WAL_GONE_MS = 120_000
/** The work that is interrupted takes longer than this with so much to copy. */
const LATEST_MS = 200
const ENDED = 9
/** A rewind that does not wait for the checkpoint is done by then. */
const UNCHECKPOINTED_MS = 8000
const MUCH = `drop table if exists much;
  create table much as select number, repeat(md5(number::text), 30) as text from generate_series(1, 100000) as number`
/** Every segment that no checkpoint needs goes. */
const KEEP = { wal_keep_size: '0', max_slot_wal_keep_size: '16MB' }
const SLOTS_LOST = `select coalesce(bool_and(wal_status = 'lost'), true) from pg_replication_slots where not active`

/** Waits until a program runs on a machine, and some moments longer; it has to run then as well. */
async function untilInTheMiddle({ lab }: Stage, machine: string, program: string, random: Random) {
  const delay = random.integer(0, LATEST_MS) / 1000
  const runs = `pgrep --exact ${program} >/dev/null`
  const script = `until ${runs}; do sleep 0.01; done; sleep ${delay}; ${runs} || exit ${ENDED}`
  const inTime = await waitFor(`${program} runs on ${machine}`, REJOIN_MS, async () => {
    // While the machine boots, there is no way in.
    const options = { reject: false, timeoutMs: REJOIN_MS }
    const { exitCode } = await lab.exec(machine, ['sh', '-c', script], options)
    return exitCode === 0 || exitCode === ENDED ? exitCode === 0 : null
  })
  if (!inTime) throw new Error(`${program} on ${machine} had ended before the power was cut`)
}

async function setOn(stage: Stage, machine: string, settings: Record<string, string | null>): Promise<void> {
  for (const [name, value] of Object.entries(settings))
    await sqlAsPostgres(
      stage.lab,
      machine,
      `alter system ${value === null ? `reset ${name}` : `set ${name} = '${value}'`}`,
    )
  await sqlAsPostgres(stage.lab, machine, 'select pg_reload_conf()')
}

/** Cuts the power of a standby, and makes the primary forget the WAL that it needs. @returns the standby. */
async function loseWal(stage: Stage, primary: string, random: Random): Promise<string> {
  const { lab, events } = stage
  const standby = random.pick(stage.others(primary))
  await lab.poweroff(standby)
  events.note(`${standby} is off`)
  await sqlAsPostgres(lab, primary, MUCH)
  await setOn(stage, primary, KEEP)
  try {
    await waitFor('the WAL for the standby to be gone', WAL_GONE_MS, async () => {
      await sqlAsPostgres(lab, primary, 'select pg_switch_wal()')
      await sqlAsPostgres(lab, primary, 'checkpoint')
      return (await sqlAsPostgres(lab, primary, SLOTS_LOST)) === 't' || null
    })
  } finally {
    await setOn(stage, primary, { wal_keep_size: null, max_slot_wal_keep_size: null })
  }
  events.note(`${primary} no longer has the WAL that ${standby} needs`)
  return standby
}

/** How often a machine has decided that it is to be rewound. */
async function rewindsOn({ lab }: Stage, machine: string): Promise<number> {
  const { stdout } = await lab.exec(machine, ['journalctl', '--identifier=understudy', '--output=cat'])
  return stdout.split('"handler":"rejoin","do":"rewind"').length
}

export const rejoinFaults = {
  'rewind-cut': {
    what: 'the cable of $ is pulled, another is promoted; the power of $ is cut while pg_rewind is at work on it',
    on: ['primary'],
    takes: 'everything',
    async inject(stage, { machine, random }) {
      const { lab, events, timeline } = stage
      await lab.cut(machine)
      await stage.untilPromoted(timeline, PROMOTED_MS)
      const { primary } = await askRoles(lab, stage.others(machine))
      if (primary === null) throw new Error('the new primary does not answer')
      await sqlAsPostgres(lab, primary, MUCH)
      await lab.heal(machine)
      events.note(`the cable of ${machine} is plugged in`)
      await untilInTheMiddle(stage, machine, 'pg_rewind', random)
      await lab.poweroff(machine)
      events.note(`${machine} is off, in the middle of a rewind`)
      return () => lab.poweron(machine)
    },
  },
  'rewind-before-checkpoint': {
    what: 'the cable of $ is pulled, another is promoted; $ is to be rewound before that one has made a checkpoint',
    on: ['primary'],
    takes: 'everything',
    async inject(stage, { machine }) {
      const { lab, events, timeline } = stage
      const before = await rewindsOn(stage, machine)
      const signal = (name: string) =>
        Promise.all(
          stage.others(machine).map((other) => lab.exec(other, ['pkill', `-${name}`, ...CHECKPOINTER])),
        )
      await signal('STOP')
      await lab.cut(machine)
      await stage.untilPromoted(timeline, PROMOTED_MS)
      await lab.heal(machine)
      events.note(`the cable of ${machine} is plugged in`)
      await waitFor(`${machine} is to be rewound`, REJOIN_MS, async () => {
        return (await rewindsOn(stage, machine)) > before || null
      })
      await pause(UNCHECKPOINTED_MS)
      return async () => {
        await signal('CONT')
      }
    },
  },
  'wal-gone': {
    what: 'a standby loses power; $ no longer has the WAL that it needs',
    on: ['primary'],
    takes: 'everything',
    async inject(stage, { machine, random }) {
      const standby = await loseWal(stage, machine, random)
      return () => stage.lab.poweron(standby)
    },
  },
  'clone-cut': {
    what: 'a standby that needs WAL which $ no longer has is cloned; its power is cut in the middle of that',
    on: ['primary'],
    takes: 'everything',
    async inject(stage, { machine, random }) {
      const { lab, events } = stage
      const standby = await loseWal(stage, machine, random)
      // Cloning may begin before it has booted completely.
      const booting = lab.poweron(standby).catch((error) => events.note(`${standby}: ${explain(error)}`))
      await untilInTheMiddle(stage, standby, 'pg_basebackup', random)
      await lab.poweroff(standby)
      events.note(`${standby} is off, in the middle of a clone`)
      await booting
      return () => lab.poweron(standby)
    },
  },
} as const satisfies Record<string, Fault>
