import type { FaultName } from './catalogue.ts'
import type { Role } from './fault.ts'

/** A fault on whoever has a role at that moment. */
export interface Step {
  readonly fault: FaultName
  readonly on: Role
  /** After the fault before it. */
  readonly afterMs?: number
}

export interface Scenario {
  readonly name: string
  /** Each goes on until all of them are healed. */
  readonly steps: readonly Step[]
  /** How long they last then; or until another primary acknowledges rows, and at most so long. */
  readonly lasts: { readonly ms: number } | { readonly untilPromotedMs: number }
  /** Who is the primary afterwards, compared with before. */
  readonly primary: 'same' | 'another' | 'either'
  /** How long the client in the network may be without an acknowledgement; not given where it may be cut off itself. */
  readonly longestGapMs?: number
}
