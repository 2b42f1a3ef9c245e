/** Faults of a primary whose standbys are away, all of them. */
import { setTimeout as pause } from 'node:timers/promises'
import { addressOf } from '../lib/cluster.ts'
import type { Fault } from './fault.ts'
import type { Stage } from './stage.ts'

/** Shorter than the time after which a primary goes on without any standby (ALONE_AFTER_MS), and enough for an event to come. */
const PAUSE_MS = 6000
/** Long enough for a primary to go on alone, if it may. */
const AWAY_MS = 25_000
/** A primary goes on alone after 35 s at the latest (docs/operator/operations.md). */
const ALONE_MS = 45_000
const ROWS_ALONE = 50
/** A primary that has gone on alone and is cut off is noticed by the check, and stops after 30 s at the latest (README.md). */
const FENCED_MS = 30_000
/** How long it is watched. */
const WATCH_MS = 40_000

/** Starts or stops the databases of all machines but one. */
const onOthers = (stage: Stage, machine: string, verb: 'start' | 'stop') =>
  Promise.all(stage.others(machine).map((other) => stage.lab.exec(other, ['systemctl', verb, 'postgresql'])))

const awayThenLost = (what: string, ms: number): Fault => ({
  what,
  on: ['primary'],
  takes: 'everything',
  async inject(stage, { machine }) {
    const { lab, events } = stage
    await onOthers(stage, machine, 'stop')
    events.note('no standby is left')
    await pause(ms)
    await lab.poweroff(machine)
    events.note(`${machine} is off`)
    await onOthers(stage, machine, 'start')
    events.note('the standbys are back')
    return () => lab.poweron(machine)
  },
})

export const loneFaults = {
  'standbys-pause-then-primary': awayThenLost(
    'the databases of the standbys are stopped for a moment; $ loses power before it may go on alone',
    PAUSE_MS,
  ),
  'standbys-away-then-primary': awayThenLost(
    'the databases of the standbys are stopped for long; then $ loses power, and they are started',
    AWAY_MS,
  ),
  'alone-then-cut-off': {
    what: 'the databases of the standbys are stopped, $ goes on alone; then its cable is pulled',
    on: ['primary'],
    takes: 'everything',
    async inject(stage, { machine }) {
      const { lab, events, writers } = stage
      await onOthers(stage, machine, 'stop')
      await stage.untilMoreWritten(ROWS_ALONE, ALONE_MS)
      events.note(`${machine} goes on alone`)
      await lab.cut(machine)
      const cutAt = events.note(`the cable of ${machine} is pulled`)
      await pause(WATCH_MS)
      const server = addressOf(lab, machine)
      const last = writers.attempts.reduce(
        (latest, { acknowledged }) =>
          acknowledged?.server === server ? Math.max(latest, acknowledged.at) : latest,
        cutAt,
      )
      const ms = Math.round(last - cutAt)
      events.note(`${machine} has acknowledged rows for ${ms} ms after it was cut off`)
      if (ms > FENCED_MS) throw new Error(`${machine} acknowledged rows for ${ms} ms after it was cut off`)
      return async () => {
        await lab.heal(machine)
        await onOthers(stage, machine, 'start')
      }
    },
  },
} as const satisfies Record<string, Fault>
