import { type Applicant, claimSeat } from './decide-seat.ts'
import type { Seats } from './schemas.ts'

/** Why this machine cannot become a member, in one sentence; null where it can. */
export function whyNotMember(facts: {
  /** A Consul that is not ours has data here. */
  foreignConsul: boolean
  /** null where there is no cluster yet. */
  seats: Seats | null
  applicant: Applicant
}): string | null {
  if (facts.foreignConsul)
    return 'a Consul that is not part of an understudy cluster has data on this machine; remove it first'
  const claim = claimSeat(facts.seats, facts.applicant)
  return claim.outcome === 'refused' ? claim.why : null
}
