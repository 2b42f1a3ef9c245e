import { setTimeout as pause } from 'node:timers/promises'
import { epochOf } from '../consul/leadership.ts'
import type { Primary } from '../consul/manifest.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'
import { probe, remoteDatabase } from './database.ts'
import { SILENT_MS, type Testimony } from './decide-failover.ts'
import type { ProbedDatabase } from './role.ts'

/** How long the old primary has for its first answer, since it was first asked: it is mostly silent, and every failover waits for it. */
export const PRIMARY_PROBE_MS = 300
/** How long it has for its answer to the question under the lock: it has been silent for longer than the above. */
export const PROBE_AGAIN_MS = 100
/**
 * So much of its silence before this run counts towards SILENT_MS: the first question may have been lost, and a primary has as long for
 * the one of this run as for that.
 */
const BEFORE_MS = SILENT_MS - PRIMARY_PROBE_MS
/** How long the old primary may take to answer, during which other looks go on: a busy machine takes longer than a look waits. */
const ANSWER_MS = 1000

/** Asks the published primary during one run of the gate. A question stays open after a look, so that a late answer counts too. */
export class Witness {
  #primary = ''
  #open: Promise<void>[] = []
  #answer: ProbedDatabase | Unknown = UNKNOWN
  #silentSince: number | null = null
  #hasAnswered = false
  /** When it was asked because this machine had taken the lock. */
  #underLockAt: number | null = null
  /** When this run itself has asked first, if somebody else had asked before. */
  #ownSince: number | null = null
  readonly #askedBeforeMs: (primary: Primary) => number | null

  /** @param askedBeforeMs how long ago the primary was asked without an answer, before this run, in ms; null: not that is known. */
  constructor(askedBeforeMs: (primary: Primary) => number | null = () => null) {
    this.#askedBeforeMs = askedBeforeMs
  }

  /**
   * Asks, and waits for as long as it has for its answer.
   * @param underLock this machine holds the lock: one more question is asked, on a connection of its own.
   */
  async ask(primary: Primary, underLock: boolean): Promise<void> {
    this.#turnTo(primary)
    const before = this.#beforeMs(primary)
    // There was an answer, or it is too long ago to know.
    if (before === null && this.#ownSince !== null) {
      if (this.#silentSince !== null) this.#silentSince = Math.max(this.#silentSince, this.#ownSince)
      this.#ownSince = null
    }
    if (!underLock) this.#underLockAt = null
    if (this.#answer !== UNKNOWN) return
    const begun = performance.now()
    const isDue = this.#open.length === 0
    if (underLock && (isDue || this.#underLockAt === null)) this.askUnderLock(primary)
    else if (isDue) this.#question(primary, before)
    if (this.#underLockAt !== null) await this.#answered(this.#underLockAt + PROBE_AGAIN_MS)
    else if (isDue) await this.#answered(begun + PRIMARY_PROBE_MS - (before ?? 0))
  }

  /** This machine has taken the lock: asks once more, while the next look still reads other things. */
  askUnderLock(primary: Primary): void {
    this.#turnTo(primary)
    this.#underLockAt = performance.now()
    this.#question(primary, this.#beforeMs(primary))
  }

  /** What is known by now. An answer is given once. */
  testimony(): Testimony {
    const primaryDatabase = this.#answer
    this.#answer = UNKNOWN
    const silentMs = this.#silentSince === null ? 0 : performance.now() - this.#silentSince
    return { primaryDatabase, silentMs, hasAnswered: this.#hasAnswered }
  }

  /** Waits for an answer to any question. One that is given up meanwhile is none. */
  async #answered(untilMs: number): Promise<void> {
    for (;;) {
      const leftMs = untilMs - performance.now()
      if (leftMs <= 0 || this.#answer !== UNKNOWN || this.#open.length === 0) return
      await Promise.race([...this.#open, pause(leftMs)])
    }
  }

  /** Once it has answered this run, what was asked before says nothing. */
  #beforeMs(primary: Primary): number | null {
    return this.#hasAnswered ? null : this.#askedBeforeMs(primary)
  }

  #turnTo(primary: Primary): void {
    const name = nameOf(primary)
    if (name !== this.#primary) this.#forget(name)
  }

  #forget(name: string): void {
    this.#primary = name
    this.#open = []
    this.#answer = UNKNOWN
    this.#silentSince = null
    this.#ownSince = null
    this.#underLockAt = null
    this.#hasAnswered = false
  }

  #question(primary: Primary, before: number | null): void {
    const name = nameOf(primary)
    if (this.#silentSince === null) {
      const now = performance.now()
      this.#silentSince = now - Math.min(before ?? 0, BEFORE_MS)
      if (before !== null) this.#ownSince = now
    }
    const question = probe(remoteDatabase(primary.address, primary.port), ANSWER_MS).then((answer) => {
      this.#open = this.#open.filter((one) => one !== question)
      if (answer === UNKNOWN || name !== this.#primary) return
      this.#answer = answer
      this.#silentSince = null
      this.#hasAnswered ||= answer.role === 'primary' || answer.role === 'alive'
    })
    this.#open.push(question)
  }
}

const nameOf = (primary: Primary): string => `${primary.address}:${primary.port} ${epochOf(primary)}`
