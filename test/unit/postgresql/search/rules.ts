import { NO_WAIT } from '../../../../lib/postgresql/decide-durability.ts'
import { decideFailover } from '../../../../lib/postgresql/decide-failover.ts'
import { decideFence } from '../../../../lib/postgresql/decide-fence.ts'
import { decideRejoin } from '../../../../lib/postgresql/decide-rejoin.ts'

/** What is tested. A test puts a former behaviour in the place of one of these, to see that the search finds what was wrong with it. */
export interface Rules {
  failover: typeof decideFailover
  fence: typeof decideFence
  rejoin: typeof decideRejoin
  /** The upkeep takes a commit rule for set only when it has seen that commits wait. */
  provesRule: boolean
  /** What the sync document says of commits is relied on. */
  saysWaits: boolean
  /** What was promoted and not published is copied anew. */
  marksPromotion: boolean
  /** Follow looks at who leads in the moment in which it points replication there. */
  looksBeforeItPoints: boolean
  /** A promotion is published only when it is seen that commits wait; the upkeep does not take that for granted either. */
  provesPromotion: boolean
}

export const RULES: Rules = {
  failover: decideFailover,
  fence: decideFence,
  rejoin: decideRejoin,
  marksPromotion: true,
  looksBeforeItPoints: true,
  provesRule: true,
  saysWaits: true,
  provesPromotion: true,
}

/** Formerly it was only set, and some time later taken for being in effect. */
export const SETS_UNPROVEN: Partial<Rules> = { provesRule: false, saysWaits: false }
export const PUBLISHES_UNPROVEN: Partial<Rules> = { provesPromotion: false, saysWaits: false }

/** What is only set is said to be in effect. */
export const SAYS_UNPROVEN: Partial<Rules> = { provesRule: false }

/** A promotion leaves no mark, so another machine's timeline of the same number is taken for its own. */
export const LEAVES_NO_MARK: Partial<Rules> = { marksPromotion: false }

/** The look of follow may be as old as it likes when replication is pointed. */
export const POINTS_BLINDLY: Partial<Rules> = { looksBeforeItPoints: false }

/** A machine that was promoted and never published waits for a primary, which does not come. */
export const UNPUBLISHED_WAITS: Partial<Rules> = {
  rejoin(facts) {
    const plan = decideRejoin(facts)
    return plan.do === 'stand-by' ? { do: 'wait', why: 'there is no primary at the moment' } : plan
  },
}

/** A standby that may not be promoted stays with a primary that has lost the lock, and the fence counts every stream. */
export const NON_VOTERS_STAY: Partial<Rules> = {
  failover(facts) {
    const plan = decideFailover(facts)
    const { sync, self } = facts
    const isVoter = typeof sync === 'object' && sync?.voters.includes(self.node)
    return plan.do === 'stop-receiver' && !isVoter ? { do: 'wait', why: 'it is no voter' } : plan
  },
  fence: (facts) => decideFence({ ...facts, commit: NO_WAIT }),
}
