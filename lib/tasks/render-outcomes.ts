import type { Entry } from '../consul/entry.ts'
import { byKey } from '../core/order.ts'
import type { TaskRecord } from './manifest.ts'

/** A task as `understudy once status` tells it. */
export interface Task {
  key: string
  state: 'running' | 'unknown' | 'done' | 'failed'
  node: string
  started: string
  ended: string | null
  exitCode: number | null
  epoch: number
}

/** What became of a task; one that was started and is held by nobody is unknown. */
export function taskOf({ value, session, modifyIndex }: Entry<TaskRecord>): Task {
  const { key, node, since: started, ended = null, exitCode = null } = value
  const isHeld = session !== null
  const state = value.state === 'started' ? (isHeld ? 'running' : 'unknown') : value.state
  return {
    key,
    state,
    node,
    started,
    ended,
    exitCode,
    epoch: value.state === 'started' && isHeld ? modifyIndex : value.epoch,
  }
}

/** Sorted by their keys. */
export const tasksOf = (entries: Iterable<Entry<TaskRecord>>): Task[] =>
  [...entries]
    .map((entry): [string, Task] => [entry.value.key, taskOf(entry)])
    .sort(byKey)
    .map(([, task]) => task)

/** One line: fields with a tab between them, the key last and in JSON where it would not fit into a line. */
export function renderTask({ key, state, node, started, ended, exitCode }: Task): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for.
  const shown = /[\u0000-\u001f\u007f]/.test(key) ? JSON.stringify(key) : key
  return [state, node, started, ended ?? '-', exitCode ?? '-', shown].join('\t')
}
