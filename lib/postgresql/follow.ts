import type { Context } from '../consul/handler.ts'
import type { Reconciler } from '../core/reconciler.ts'
import { applyFollow } from './apply-follow.ts'
import { decideFollow, type FollowFacts, type FollowPlan } from './decide-follow.ts'
import { observeFollow } from './observe-follow.ts'

/** Points a standby at the primary; starts the rejoin unit for a former primary. */
export const follow: Reconciler<Context, FollowFacts, FollowPlan> = {
  name: 'follow',
  observe: observeFollow,
  decide: decideFollow,
  apply: applyFollow,
}
