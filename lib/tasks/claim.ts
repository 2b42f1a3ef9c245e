import { setTimeout as pause } from 'node:timers/promises'
import type { Consul } from '../consul/client.ts'
import type { Entry } from '../consul/entry.ts'
import { CONSUL_PATIENCE_MS } from '../consul/handler.ts'
import { EXIT, UnderstudyError } from '../core/errors.ts'
import type { ClaimPlan } from './decide-claim.ts'
import { timingOf } from './decide-timing.ts'
import type { Lock, TaskRecord } from './manifest.ts'
import type { Holder, Subject } from './subject.ts'

/** Between two looks at a key that somebody else holds, or at a Consul that does not answer. */
const LOOK_AGAIN_MS = 250

/** A key that this run holds. */
export interface HeldKey {
  session: string
  /** Its ModifyIndex is the epoch. */
  entry: Entry<Lock | TaskRecord>
  /** When the question was asked whose answer says so. */
  askedMs: number
  /** The clock's time before which nothing may be started: the holder before may still run something. */
  quietUntilMs: number
}

export type Refusal = Extract<ClaimPlan, { do: 'refuse' | 'settled' }>

/** Asks Consul again while it does not answer, for as long as it takes to elect a leader. @throws what it said last. */
export async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  const deadlineMs = performance.now() + CONSUL_PATIENCE_MS
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      const isAway = error instanceof UnderstudyError && error.exitCode === EXIT.unavailable
      if (!isAway || performance.now() > deadlineMs) throw error
      await pause(LOOK_AGAIN_MS)
    }
  }
}

/** Looks once whether a run would be refused: that needs no unit. */
export async function lookForRefusal(consul: Consul, subject: Subject): Promise<Refusal | null> {
  const entry = await patiently(() => consul.get(subject.key))
  const plan = subject.decide(entry, { freeMs: 0, delayed: false, waitedMs: 0 })
  return plan.do === 'refuse' || plan.do === 'settled' ? plan : null
}

/**
 * Takes the key, or waits for it as long as the subject says. A claim whose answer was lost is recognised by its run.
 * @param ended is asked at every look: the run is not wanted any more.
 */
export async function claim(
  consul: Consul,
  subject: Subject,
  holder: Holder,
  ended: () => boolean,
): Promise<HeldKey | Refusal> {
  const startedMs = performance.now()
  let session: string | null = null
  let free = { modifyIndex: 0, sinceMs: 0 }
  let delayed = false
  let quietUntilMs = 0
  const giveUp = async (refusal: Refusal): Promise<Refusal> => {
    if (session !== null) await consul.destroySession(session).catch(() => {})
    return refusal
  }
  for (;;) {
    const askedMs = performance.now()
    const entry = await patiently(() => consul.get(subject.key))
    const nowMs = performance.now()
    if (entry?.session && entry.value.run === holder.run)
      return { session: entry.session, entry, askedMs, quietUntilMs }
    if (entry && entry.modifyIndex !== free.modifyIndex)
      free = { modifyIndex: entry.modifyIndex, sinceMs: nowMs }
    const freeMs = entry?.session === null ? nowMs - free.sinceMs : 0
    const plan = subject.decide(entry, { freeMs, delayed, waitedMs: nowMs - startedMs })
    if (plan.do === 'refuse' || plan.do === 'settled') return giveUp(plan)
    if (ended())
      return giveUp({ do: 'refuse', why: 'it was stopped before the command started', exitCode: EXIT.retry })
    if (plan.do === 'take') {
      quietUntilMs = nowMs + plan.quietMs
      session ??= await patiently(() => makeSession(consul, subject))
      if (await tryToTake(consul, subject, holder, session, plan.modifyIndex)) continue
      delayed = true
      session = await renewed(consul, session)
    }
    await pause(LOOK_AGAIN_MS)
  }
}

const makeSession = (consul: Consul, { key, ttlS }: Subject): Promise<string> =>
  consul.createSession({
    name: `understudy ${key.path.slice(0, 100)}`,
    nodeChecks: ['serfHealth'],
    serviceChecks: [],
    ttlSeconds: timingOf(ttlS).sessionS,
    lockDelaySeconds: ttlS,
  })

/** @returns false where it is certainly not taken; the next look tells what came of a request without an answer. */
async function tryToTake(
  consul: Consul,
  subject: Subject,
  holder: Holder,
  session: string,
  seen: number,
): Promise<boolean> {
  try {
    return await consul.acquire(subject.key, subject.taken(holder, seen), session, seen)
  } catch (error) {
    if (error instanceof UnderstudyError && error.exitCode === EXIT.unavailable) return true
    throw error
  }
}

/** A session that has ended is of no use any more. */
const renewed = (consul: Consul, session: string): Promise<string | null> =>
  consul.renewSession(session).then(
    () => session,
    () => null,
  )
