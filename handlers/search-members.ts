/**
 * Called by: understudy-search.service, which the watch on `seats` and the periodic check start. As root.
 * argv: none. stdin: nothing.
 * Exit codes (of the unit): 0 done or nothing to do (also where Consul does not answer), 1 the server refuses, 64 usage, 69 it does
 * not answer, 75 deadline, 78 its settings are not understood.
 */
import { main, untilConsulAnswers } from '../lib/consul/handler.ts'
import { noArguments } from '../lib/core/handler.ts'
import { searchMembers } from '../lib/search/members.ts'

const { name, observe, decide, apply } = searchMembers

main({
  name,
  help: `search-members [--dry-run]
Tells the search server of this machine where the others are, and excludes those of machines that have left. Called by
understudy-search.service, which the watch on seats and the periodic check start.`,
  timeoutMs: 80_000,
  parse: noArguments,
  observe,
  decide,
  apply,
  next: untilConsulAnswers,
})
