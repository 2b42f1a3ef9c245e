import { acknowledge, mayServe, serves } from './promises.ts'
import { compact, keyOf } from './same.ts'
import type { State, Step } from './state.ts'

export interface Outcome {
  states: number
  steps: number
  /** The first broken promise and the shortest way to it, or null. */
  broken: string | null
  trace: readonly string[]
}

/** The states that were found, how each was reached first, and what may follow by itself. */
export class Graph {
  readonly states: State[] = []
  readonly #numbers = new Map<string, number>()
  readonly #parents: number[] = []
  readonly #steps: string[] = []
  /** The states that follow each by itself, one after the other, and where those of each begin. */
  readonly #next: number[] = []
  readonly #begins: number[] = []
  #taken = 0

  state(number: number): State {
    const state = this.states[number]
    if (!state) throw new Error(`no state ${number}`)
    return state
  }

  add({ what, why, state }: Step, parent: number): number {
    this.#taken += 1
    const reached = acknowledge(state)
    const key = keyOf(reached)
    const known = this.#numbers.get(key)
    if (known !== undefined) return known
    const number = this.states.push(compact(reached)) - 1
    this.#numbers.set(key, number)
    this.#parents.push(parent)
    this.#steps.push(why === undefined ? what : `${what} (${why})`)
    return number
  }

  begin(): void {
    this.#begins.push(this.#next.length)
  }

  follows(number: number): void {
    if (number !== this.#begins.length - 1) this.#next.push(number)
  }

  /** The first state that should get to one that serves, by itself, and cannot; -1 if there is none. */
  firstStuck(): number {
    const before = this.#backwards()
    const reaching = new Uint8Array(this.states.length)
    const open = this.states.flatMap((state, number) => (serves(state) ? [number] : []))
    for (const number of open) reaching[number] = 1
    for (let number = open.pop(); number !== undefined; number = open.pop())
      for (let at = before.begins[number] ?? 0; at < (before.begins[number + 1] ?? 0); at += 1) {
        const one = before.from[at] ?? 0
        if (reaching[one]) continue
        reaching[one] = 1
        open.push(one)
      }
    // Without a promotion left it may be the bound that keeps it from going on.
    return this.states.findIndex(
      (state, number) => !reaching[number] && state.left.promotions > 0 && mayServe(state),
    )
  }

  #backwards(): { begins: Uint32Array; from: Uint32Array } {
    const begins = new Uint32Array(this.states.length + 1)
    for (const to of this.#next) begins[to + 1] = (begins[to + 1] ?? 0) + 1
    for (let at = 1; at < begins.length; at += 1) begins[at] = (begins[at] ?? 0) + (begins[at - 1] ?? 0)
    const free = begins.slice()
    const from = new Uint32Array(this.#next.length)
    for (let state = 0; state < this.states.length; state += 1)
      for (let at = this.#begins[state] ?? 0; at < (this.#begins[state + 1] ?? this.#next.length); at += 1) {
        const to = this.#next[at] ?? 0
        from[free[to] ?? 0] = state
        free[to] = (free[to] ?? 0) + 1
      }
    return { begins, from }
  }

  outcome(said: string | null, at: number): Outcome {
    const trace: string[] = []
    for (let number = at; number >= 0; number = this.#parents[number] ?? -1)
      trace.unshift(this.#steps[number] ?? '')
    return { states: this.states.length, steps: this.#taken, broken: said, trace }
  }
}
