import * as v from 'valibot'
import type { Context } from '../consul/handler.ts'
import type { Joining } from '../consul/joining.ts'
import { type Component, describe } from '../core/component.ts'
import { key } from '../core/key.ts'
import { paths, run } from '../core/paths.ts'
import { count, name, time } from '../core/schema.ts'

/** What is kept of whoever holds a lock or runs a task, or did so last. */
const holding = {
  schema: v.literal(1),
  node: name,
  /** Of the run: it recognises its own claim. */
  run: v.string(),
  since: time,
  /** Seconds, see lib/tasks/decide-timing.ts: another run starts nothing for so long after this one was lost. */
  ttl: count,
  /** Of this holding where it has ended, else of the one before: ModifyIndex of the transaction that took the key. */
  epoch: count,
}

const lock = v.object({
  ...holding,
  /** False once it was given back: its holder has nothing left that runs. */
  held: v.boolean(),
})
export type Lock = v.InferOutput<typeof lock>

const outcome = v.object({
  ...holding,
  /** As it was given: the digest in Consul's key does not say it. */
  key: v.string(),
  /** `started` without a session is unknown. */
  state: v.picklist(['started', 'done', 'failed']),
  ended: v.exactOptional(time),
  exitCode: v.exactOptional(count),
})
export type TaskRecord = v.InferOutput<typeof outcome>

export const taskKeys = {
  lock: (lockName: string) => key(`locks/${lockName}`, lock),
  outcomes: key('once/', outcome),
  outcomesOf: (taskName: string) => key(`once/${taskName}/`, outcome),
  outcome: (taskName: string, digest: string) => key(`once/${taskName}/${digest}`, outcome),
} as const

export const taskPaths = {
  /** The command itself, which is the main process of the unit that COMMAND runs in. */
  supervisor: '/usr/lib/understudy/lock.mjs',
  /** What runs a unit of systemd as the command of a lock. */
  runUnit: paths.handler('locked-unit'),
  /** Lies there, with the epoch, while a unit runs under its lock; a guard may ask for it. Gone at boot. */
  locked: (unit: string): string => `${run}/locked/${unit}`,
  /** What the unit is to run, with the environment of the caller: for root only, and gone when the unit has read it. */
  request: (runId: string): string => `${run}/tasks/${runId}.request`,
  /** How the unit has ended, for the caller. */
  result: (runId: string): string => `${run}/tasks/${runId}.result`,
  /** Outcomes that Consul does not have yet. */
  outbox: '/var/lib/understudy/tasks',
  /** When this machine last looked for old outcomes. */
  collected: `${run}/check/once-collected.json`,
} as const

export const taskUnits = {
  /** A transient unit, made for one run. */
  run: (kind: string, of: string, runId: string): string => `understudy-${kind}-${of}-${runId}.service`,
} as const

/** Locks that run a command on one machine at a time, and tasks that are run once. */
export const tasks: Component<Context, Joining> = /* @__PURE__ */ describe(() => ({
  name: 'tasks',
  title: 'locks and tasks',
  keys: taskKeys,
  keysAbout: [
    {
      key: 'locks/NAME',
      holds: 'who holds or held the lock NAME, and its last epoch',
      writtenBy: '`understudy lock`',
    },
    {
      key: 'once/NAME/DIGEST',
      holds: 'of one task: its key, state, machine, times and exit code',
      writtenBy: '`understudy once`, `check`',
    },
  ],
  paths: taskPaths,
  filesAbout: [
    {
      path: `${run}/tasks/`,
      holds: 'what a run of `understudy lock` or `once` was asked for, and how it ended',
    },
    { path: taskPaths.locked('UNIT'), holds: 'the epoch of the lock under which the unit runs' },
    { path: `${taskPaths.outbox}/`, holds: 'outcomes of tasks that Consul does not have yet' },
    { path: taskPaths.collected, holds: 'when this machine last looked for outcomes that are old' },
  ],
  ports: [],
  handlers: [
    {
      name: 'locked-unit',
      user: 'root',
      calledBy: '`understudy lock --unit`',
      does: 'runs a unit of systemd under a lock, and kills it where the lock is lost',
    },
  ],
  daemons: [],
  package: {
    scripts: ['locked-unit.sh'],
    tmpfiles: [
      `d ${run}/locked 0755 root root`,
      `d ${run}/tasks 0700 root root 1d`,
      `d ${taskPaths.outbox} 0755 consul consul`,
    ],
  },
  consul: () => ({ services: [], watches: [] }),
  check: () => import('./check.ts'),
}))
