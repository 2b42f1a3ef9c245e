import { EXIT, UnderstudyError } from '../core/errors.ts'

/** A machine that is this far off cannot be trusted with time-outs and certificates. */
const CLOCK_TOLERANCE_MS = 5000

const refuse = (message: string): UnderstudyError => new UnderstudyError(EXIT.config, message)

/**
 * Which PostgreSQL becomes a part of the cluster: the version of the cluster, for a new cluster the newest.
 *
 * @param here major versions that have a cluster named main on this machine, ascending.
 * @param wanted the cluster's major version, null where there is no cluster yet.
 * @throws one sentence where it is not here.
 */
export function chooseVersion(here: readonly number[], wanted: number | null): number {
  const newest = here.at(-1)
  if (newest === undefined)
    throw refuse('there is no PostgreSQL cluster named main; create one with pg_createcluster')
  if (wanted === null || here.includes(wanted)) return wanted ?? newest
  throw refuse(
    `the cluster runs PostgreSQL ${wanted}, this machine has ${here.join(', ')}; install postgresql-${wanted}`,
  )
}

/** @throws where the clocks of this machine and of the primary are too far apart. */
export function checkClock(ownMs: number, primaryMs: number): void {
  const aheadMs = ownMs - primaryMs
  if (Math.abs(aheadMs) <= CLOCK_TOLERANCE_MS) return
  const seconds = Math.round(Math.abs(aheadMs) / 1000)
  throw refuse(
    `the clock of this machine is ${seconds} s ${aheadMs > 0 ? 'ahead of' : 'behind'} the primary's; correct it first (timedatectl)`,
  )
}
