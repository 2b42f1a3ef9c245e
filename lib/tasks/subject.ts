import { createHash } from 'node:crypto'
import type { Entry } from '../consul/entry.ts'
import type { Key } from '../core/key.ts'
import { type ClaimPlan, decideLock, decideOnce, type TryFacts } from './decide-claim.ts'
import { TTL_S } from './decide-timing.ts'
import { type Lock, type TaskRecord, taskKeys } from './manifest.ts'
import type { LockCommand, RunOnceCommand } from './options.ts'

/** What a run says of itself. */
export type Holder = Pick<Lock, 'node' | 'run' | 'since'>

/** What a run has to hold while its command runs: a lock, or the only claim to a task. */
export interface Subject<T extends Lock | TaskRecord = Lock | TaskRecord> {
  key: Key<T>
  /** L, in seconds. */
  ttlS: number
  /** How long it may wait for the key, in milliseconds. */
  timeoutMs: number
  decide(entry: Entry<T> | null, tried: TryFacts): ClaimPlan
  /** The value that goes with the claim. @param seen ModifyIndex of the key before it: lower than the epoch. */
  taken(holder: Holder, seen: number): T
  /** The value once nothing of the command runs any more. */
  ended(taken: T, epoch: number, exitCode: number): T
}

/** How much longer than Consul's own delay a key is waited for: Consul's times are accurate only to some seconds. */
const DELAYED_MS = 10_000

export const digestOf = (key: string): string => createHash('sha256').update(key).digest('hex')

function lockSubject({ name, timeoutMs, ttlS }: LockCommand): Subject<Lock> {
  return {
    ...{ key: taskKeys.lock(name), ttlS, timeoutMs },
    decide: (entry, tried) => decideLock({ name, entry, timeoutMs, ...tried }),
    taken: (holder, epoch) => ({ schema: 1, ...holder, ttl: ttlS, held: true, epoch }),
    ended: (taken, epoch) => ({ ...taken, held: false, epoch }),
  }
}

function onceSubject({ name, key, retryUnknown }: RunOnceCommand): Subject<TaskRecord> {
  const ttlS = TTL_S.default
  const timeoutMs = retryUnknown ? ttlS * 1000 + DELAYED_MS : 0
  return {
    ...{ key: taskKeys.outcome(name, digestOf(key)), ttlS, timeoutMs },
    decide: (entry, tried) => decideOnce({ entry, retryUnknown, timeoutMs, ...tried }),
    taken: (holder, epoch) => ({ schema: 1, key, ...holder, ttl: ttlS, state: 'started', epoch }),
    ended: (taken, epoch, exitCode) => ({
      ...{ ...taken, epoch, exitCode },
      ...{ state: exitCode === 0 ? 'done' : 'failed', ended: new Date().toISOString() },
    }),
  }
}

export const subjectOf = (command: LockCommand | RunOnceCommand): Subject =>
  (command.kind === 'lock' ? lockSubject(command) : onceSubject(command)) as Subject
