/** What was seen of a run: plain data, which the verdict is found from. */

/** One row that a client sent, and what became of it. */
export interface Attempt {
  /** Which client. */
  writer: string
  value: number
  /** Epoch milliseconds, as all times here. */
  sentAt: number
  /** null: unanswered. The row may be there or not. */
  acknowledged: Acknowledgement | null
}

export interface Acknowledgement {
  at: number
  /** Address of the database that took the row. */
  server: string
  timeline: number
}

/** A database that ran on a machine, as seen once after a start that is known to be recent. */
export interface Sighting {
  machine: string
  role: 'primary' | 'standby'
  timeline: number
  /** It was not running before this moment: the machine had no power. */
  startedAfter: number
}

export interface Evidence {
  attempts: readonly Attempt[]
  /** Every value in the primary's table, read after the last of the attempts that count was acknowledged. */
  rows: readonly number[]
  sightings: readonly Sighting[]
  /** Whether commits wait for standbys: where they do not, a failover may lose what was acknowledged. */
  commitsWait: boolean
  /** How long two databases may acknowledge side by side, in ms: not at all where not given. */
  overlapMs?: number
}

/** What a standby has, beside what its primary had before and after that: rows come, and none goes. */
export interface Copy {
  readonly machine: string
  readonly before: readonly number[]
  readonly rows: readonly number[]
  readonly after: readonly number[]
}

/** A promise that was broken. */
export interface Violation {
  rule:
    | 'lost'
    | 'invented'
    | 'double'
    | 'shared timeline'
    | 'overlap'
    | 'differs'
    | 'returned as primary'
    | 'not recovered'
    | 'unexpected'
    | 'too slow'
    | 'not played'
  detail: string
}
