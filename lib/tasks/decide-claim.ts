import type { Entry } from '../consul/entry.ts'
import { EXIT, type ExitCode } from '../core/errors.ts'
import type { Lock, TaskRecord } from './manifest.ts'

/** How the run has fared so far. */
export interface TryFacts {
  /** Since this run first saw the key without a session, as it is; 0 where it has one. */
  freeMs: number
  /** Consul did not give the key when it was last tried: it delays a lock whose holder was lost, or another run was quicker. */
  delayed: boolean
  /** Since the run began. */
  waitedMs: number
}

interface ClaimFacts<T> extends TryFacts {
  entry: Entry<T> | null
  timeoutMs: number
}

export type LockFacts = ClaimFacts<Lock> & { name: string }

export type OnceFacts = ClaimFacts<TaskRecord> & { retryUnknown: boolean }

export type ClaimPlan =
  /** Take the key as it was seen (its ModifyIndex, 0: it did not exist), and start nothing for `quietMs` after that. */
  | { do: 'take'; why: string; modifyIndex: number; quietMs: number }
  | { do: 'wait'; why: string }
  /** Run nothing. */
  | { do: 'refuse'; why: string; exitCode: ExitCode }
  /** It was run before: the exit code is that of the command. */
  | { do: 'settled'; why: string; exitCode: number }

/** May this run take the lock? */
export function decideLock({ name, ...facts }: LockFacts): ClaimPlan {
  const { entry, waitedMs, timeoutMs } = facts
  if (entry === null) return take(facts, 'it has never been held')
  const { node, since, held } = entry.value
  if (entry.session === null)
    return take(facts, held ? `${node} was lost while it held the lock ${name}` : 'the lock is free')
  const why = `${node} has held the lock ${name} since ${since}`
  return waitedMs < timeoutMs ? { do: 'wait', why } : { do: 'refuse', why, exitCode: EXIT.retry }
}

/** May this run start the task? */
export function decideOnce({ retryUnknown, ...facts }: OnceFacts): ClaimPlan {
  const { entry } = facts
  if (entry === null) return take(facts, 'it was never started')
  const { node, state, since, ended, exitCode = EXIT.failed } = entry.value
  if (state !== 'started')
    return { do: 'settled', why: `${state} on ${node} at ${ended}: it is not run again`, exitCode }
  if (entry.session !== null)
    return { do: 'refuse', why: `it has been running on ${node} since ${since}`, exitCode: EXIT.retry }
  if (retryUnknown) return take(facts, `its outcome on ${node} is unknown`)
  return {
    do: 'refuse',
    why: `its outcome is unknown: ${node} started it at ${since} and was lost; look what it has done, and run it again with --retry-unknown`,
    exitCode: EXIT.data,
  }
}

/** The one before may still run, unless it has given the key back. */
function take(
  { entry, freeMs, delayed, waitedMs, timeoutMs }: ClaimFacts<Lock | TaskRecord>,
  why: string,
): ClaimPlan {
  if (delayed && waitedMs >= timeoutMs)
    return {
      do: 'refuse',
      why: `${why}, but Consul does not hand the lock out yet; try again in a moment`,
      exitCode: EXIT.retry,
    }
  if (entry === null) return { do: 'take', why, modifyIndex: 0, quietMs: 0 }
  const { value, modifyIndex } = entry
  // A value is written after the transaction that its epoch is from: a lower ModifyIndex is that of another Consul.
  if (modifyIndex < value.epoch)
    return {
      do: 'refuse',
      why: `its key was restored from another Consul (it has epoch ${value.epoch}, but was written here at index ${modifyIndex}), so epochs would repeat; delete the key once nothing relies on the old epochs`,
      exitCode: EXIT.config,
    }
  const isLost = 'held' in value ? value.held : value.state === 'started'
  return { do: 'take', why, modifyIndex, quietMs: isLost ? Math.max(0, value.ttl * 1000 - freeMs) : 0 }
}
