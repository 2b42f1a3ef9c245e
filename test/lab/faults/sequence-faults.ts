/** Faults that are whole sequences: cold starts, and machines that come back at a bad moment. */
import { setTimeout as pause } from 'node:timers/promises'
import { explain } from '../../../lib/core/errors.ts'
import { steadyNow } from '../lib/steady-clock.ts'
import { askDatabase, untilPrimary } from './ask.ts'
import type { Fault } from './fault.ts'
import type { Random } from './random.ts'
import type { Stage } from './stage.ts'

const PROMOTED_MS = 60_000
/** How long a former primary is watched that was powered on while it is cut off. */
const WATCH_MS = 15_000
const LOOK_AGAIN_MS = 250
const DATABASE_PORT = 5432
/** Enough to see that clients write on; in a cluster that has to wait for the frozen machine they cannot. */
const ROWS_WHILE_FROZEN = 100
const WHILE_FROZEN_MS = 25_000

/** Cuts the power of these machines one right after the other, in any order. */
async function powerOff({ lab, events }: Stage, machines: readonly string[], random: Random): Promise<void> {
  for (const machine of random.shuffle(machines)) await lab.poweroff(machine)
  events.note(`${machines.join(', ')} are off`)
}

/** Powers machines on in any order, some seconds apart: none waits for another one to have booted. */
async function powerOn({ lab, events }: Stage, machines: readonly string[], random: Random): Promise<void> {
  const order = random.shuffle(machines).map((machine) => ({ machine, apartMs: random.integer(0, 4000) }))
  const booting: Promise<void>[] = []
  for (const { machine, apartMs } of order) {
    events.note(`${machine} is powered on`)
    booting.push(lab.poweron(machine))
    await pause(apartMs)
  }
  await Promise.all(booting)
}

export const sequenceFaults = {
  'cold-start': {
    what: 'all machines lose power, and are powered on in any order',
    on: ['primary'],
    takes: 'everything',
    async inject(stage, { random }) {
      await powerOff(stage, stage.machines, random)
      return () => powerOn(stage, stage.machines, random)
    },
  },
  'cold-start-without-primary': {
    what: 'all machines lose power; those but $ are powered on, and $ last',
    on: ['primary'],
    takes: 'everything',
    async inject(stage, { machine, random }) {
      const { timeline } = stage
      await powerOff(stage, stage.machines, random)
      await powerOn(stage, stage.others(machine), random)
      await stage.untilPromoted(timeline, PROMOTED_MS).catch(() => stage.events.note('nobody was promoted'))
      return () => powerOn(stage, [machine], random)
    },
  },
  'standby-then-primary': {
    what: 'a standby loses power and comes back; at that moment $ loses power',
    on: ['primary'],
    takes: 'everything',
    async inject(stage, { machine, random }) {
      const standby = random.pick(stage.others(machine))
      await stage.lab.poweroff(standby)
      stage.events.note(`${standby} is off`)
      await stage.untilMoreWritten(200, 30_000)
      await stage.lab.poweron(standby)
      stage.events.note(`${standby} has booted`)
      await stage.lab.poweroff(machine)
      stage.events.note(`${machine} is off`)
      return () => stage.lab.poweron(machine)
    },
  },
  'stale-standby': {
    what: 'a standby gets nothing of what is written on $; then $ and the database of the other standby are lost',
    on: ['primary'],
    takes: 'everything',
    async inject(stage, { machine, random }) {
      const { lab, events } = stage
      const [stale, level] = random.shuffle(stage.others(machine)) as [string, string]
      // Only replication: to Consul all three are well.
      await lab.block({ between: [stale, machine], ports: [DATABASE_PORT] })
      events.note(`${stale} gets nothing any more`)
      await stage.untilMoreWritten(200, 30_000)
      await lab.exec(level, ['systemctl', 'stop', 'postgresql'])
      await lab.poweroff(machine)
      await lab.unblock()
      events.note(`PostgreSQL on ${level} is stopped, ${machine} is off`)
      return async () => {
        await lab.exec(level, ['systemctl', 'start', 'postgresql'])
        await lab.poweron(machine)
      }
    },
  },
  'candidate-frozen': {
    what: 'PostgreSQL on $ is stopped; the standby that is promoted freezes at that moment, and PostgreSQL on $ starts',
    on: ['primary'],
    takes: 'everything',
    async inject(stage, { machine }) {
      const { lab, events } = stage
      await lab.exec(machine, ['systemctl', 'stop', 'postgresql'])
      events.note(`PostgreSQL on ${machine} is stopped`)
      const candidate = await untilPrimary(lab, stage.others(machine), PROMOTED_MS)
      if (candidate !== null) await lab.freeze(candidate)
      events.note(candidate === null ? 'nobody was promoted' : `${candidate} is promoted, and frozen`)
      // The start gate waits for as long as it takes to know who the primary is.
      await lab.exec(machine, ['systemctl', 'start', '--no-block', 'postgresql'])
      await stage.untilMoreWritten(ROWS_WHILE_FROZEN, WHILE_FROZEN_MS).then(
        () => events.note('clients write while it is frozen'),
        () => events.note('nobody can write while it is frozen'),
      )
      return async () => {
        if (candidate !== null) await lab.thaw(candidate)
        await lab.exec(machine, ['systemctl', 'start', '--no-block', 'postgresql'])
      }
    },
  },
  'returns-cut-off': {
    what: '$ loses power, another is promoted; $ is powered on while it cannot reach the others',
    on: ['primary'],
    takes: 'everything',
    async inject(stage, { machine }) {
      const { lab, events, timeline } = stage
      await lab.poweroff(machine)
      await stage.untilPromoted(timeline, PROMOTED_MS)
      events.note('another is promoted')
      for (const other of stage.others(machine)) await lab.block({ between: [machine, other] })
      const startedAfter = steadyNow()
      // Its boot may wait for what cannot be reached: it is not waited for before the cut is over.
      const booting = lab.poweron(machine).catch((error) => events.note(`${machine}: ${explain(error)}`))
      for (const until = steadyNow() + WATCH_MS; steadyNow() < until; await pause(LOOK_AGAIN_MS)) {
        const seen = await askDatabase(lab, machine)
        if (seen !== null)
          stage.sightings.push({ machine, role: seen.role, timeline: seen.timeline, startedAfter })
      }
      return async () => {
        await lab.unblock()
        await booting
      }
    },
  },
} as const satisfies Record<string, Fault>
