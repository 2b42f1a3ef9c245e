import type { CheckPlan } from '../core/component.ts'
import type { Failure } from '../core/decide-backoff.ts'
import { type CallFacts, decideCall } from './decide-call.ts'

/** What the periodic check says of the command; a call that is due is started. */
export function decideCommandCheck({
  failure,
  ...facts
}: CallFacts & { failure: Failure | null }): CheckPlan {
  const { do: what, why } = decideCall(facts)
  if (failure)
    return {
      do: what,
      why,
      problems: [
        `the virtual IP command has failed ${failure.count} times since ${failure.since}: ${failure.reason}`,
      ],
    }
  return {
    do: what,
    why,
    problems: what === 'nothing' ? [] : [`the virtual IP command has to be called: ${why}`],
  }
}
