/** What a PostgreSQL says of itself. */
export type LocalDatabase =
  | { role: 'primary'; timeline: number }
  /** `receiverStopped`: it receives nothing from any primary and has read all the WAL on its disk: its position does not move. */
  | {
      role: 'standby'
      timeline: number
      receivedLsn: bigint
      /** What readers see. A promotion waits until it has reached `receivedLsn`. */
      replayedLsn: bigint
      receiverStopped: boolean
      /** Replay is paused: on demand, or because a setting is too small for what comes next. */
      paused?: true
    }
  | { role: 'down' }

/** A PostgreSQL that has answered with an error in place of its role: no connection left, an unknown password, starting up. */
export interface AliveDatabase {
  role: 'alive'
  /** See https://www.postgresql.org/docs/current/errcodes-appendix.html. */
  sqlstate: string
  says: string
}

/** What a PostgreSQL answers when it is asked for its role. */
export type ProbedDatabase = LocalDatabase | AliveDatabase
