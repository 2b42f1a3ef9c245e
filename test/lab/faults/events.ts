/** What was done in a run and when, for whoever reads why it failed. */
import { steadyNow } from '../lib/steady-clock.ts'

export interface Event {
  readonly at: number
  readonly what: string
}

export class Events {
  readonly startedAt = steadyNow()
  readonly #events: Event[] = []
  readonly #tell: (line: string) => void

  /** @param tell is told every event as it comes. */
  constructor(tell: (line: string) => void) {
    this.#tell = tell
  }

  /** Remembers what was done just now. @returns when. */
  note(what: string): number {
    const at = steadyNow()
    this.#events.push({ at, what })
    this.#tell(`${this.sinceStart(at)} ${what}`)
    return at
  }

  get all(): readonly Event[] {
    return this.#events
  }

  /** A time as seconds since the start, right-aligned. */
  sinceStart(at: number): string {
    return `${((at - this.startedAt) / 1000).toFixed(2)} s`.padStart(10)
  }
}
