import { renderSynchronous } from '../../../../lib/postgresql/config-synchronous.ts'
import { HOLD } from '../../../../lib/postgresql/decide-durability.ts'
import { ALONE_AFTER_MS, decideUpkeep } from '../../../../lib/postgresql/decide-upkeep.ts'
import { writeSync } from './consul.ts'
import type { Rules } from './rules.ts'
import { standbysOf, upkeepFacts } from './sight.ts'
import { change, type Node, type State, type Step } from './state.ts'

/** Commits wait for nobody who is there. */
const HELD = renderSynchronous(HOLD)

/** A look of the upkeep. What commits wait for changes only after the sync document was written again, as it is. */
export function upkeep(state: State, node: Node): Step[] {
  const steps: Step[] = []
  for (const withoutStandbyMs of standbysOf(state, node).length > 0 ? [0] : [0, ALONE_AFTER_MS + 1]) {
    const facts = upkeepFacts(state, node, withoutStandbyMs)
    const decided = decideUpkeep(facts)
    const { why } = decided
    if (decided.do === 'elect') {
      const { election } = decided
      const next = writeSync(state, node, election, facts.commit.count > 0)
      steps.push({
        what: `${node}: elect ${election.need} of (${election.voters.join(', ')})`,
        why,
        state: next,
      })
    }
    if (decided.do === 'commit' && facts.underLock) {
      const { election, saysWaits } = facts.underLock
      const agreed = writeSync(state, node, election, saysWaits)
      const next = renderSynchronous(decided.commit)
      steps.push({
        what: `${node}: commit by "${next}"`,
        why,
        state: change(agreed, node, { plan: { do: 'commit', rule: next, former: null } }),
      })
    }
  }
  return steps
}

/** The next part of what the upkeep has decided. */
export function keepUp(state: State, node: Node, rules: Rules): Step[] {
  const { power, plan, rule, waits } = state.machines[node]
  if (!power) return []
  const done = change(state, node, { plan: null })
  if (plan?.do !== 'commit') return []
  const set: Step = {
    what: `${node} sets "${plan.rule}"`,
    state: change(done, node, { rule: plan.rule, proven: plan.rule !== '' }),
  }
  if (plan.rule === '' || !rules.provesRule) return [set]
  if (plan.former === null) {
    const held = change(state, node, { rule: HELD, proven: false, plan: { ...plan, former: rule } })
    return [{ what: `${node} holds all commits`, state: held }]
  }
  const late = { what: `${node} finds PostgreSQL late`, state: change(done, node, { rule: plan.former }) }
  const isProven = waits && standbysOf(state, node).every((one) => state.machines[one].sender === HELD)
  return isProven ? [set, late] : [late]
}
