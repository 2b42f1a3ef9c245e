/** What a PostgreSQL says of itself. */
export type LocalDatabase =
  | { role: 'primary'; timeline: number }
  /** `still`: it takes nothing from any primary, and has read all the WAL it has; its position stays as it is. */
  | { role: 'standby'; timeline: number; receivedLsn: bigint; receiverStopped: boolean }
  | { role: 'down' }
