import type { Context } from '../consul/handler.ts'
import type { Reconciler } from '../core/reconciler.ts'
import { applySearch } from './apply.ts'
import { decideSearch, type SearchFacts, type SearchPlan } from './decide.ts'
import { observeSearch } from './observe.ts'

/** Keeps what the search server of this machine knows of the others up to date. */
export const searchMembers: Reconciler<Context, SearchFacts, SearchPlan> = {
  name: 'search-members',
  observe: observeSearch,
  decide: decideSearch,
  apply: applySearch,
}
