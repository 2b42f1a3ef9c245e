import type { Context } from '../consul/handler.ts'
import type { Reconciler } from '../core/reconciler.ts'
import { applyFollow } from './apply-follow.ts'
import { decideFollow, type FollowFacts, type FollowPlan } from './decide-follow.ts'
import { observeFollow } from './observe-follow.ts'

/** Keeps a standby on the primary; sends a former primary to the rejoin unit. */
export const follow: Reconciler<Context, FollowFacts, FollowPlan> = {
  name: 'follow',
  observe: observeFollow,
  decide: decideFollow,
  apply: applyFollow,
}
