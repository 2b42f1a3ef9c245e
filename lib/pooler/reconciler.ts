import type { Context } from '../consul/handler.ts'
import type { Reconciler } from '../core/reconciler.ts'
import { applyPooler } from './apply.ts'
import { decidePooler, type PoolerFacts, type PoolerPlan } from './decide.ts'
import { observePooler } from './observe.ts'

/** Points this machine's PgBouncer at the primary, or holds its clients back. */
export const pooler: Reconciler<Context, PoolerFacts, PoolerPlan> = {
  name: 'pooler',
  observe: observePooler,
  decide: decidePooler,
  apply: applyPooler,
}
