import { parseSynchronous } from '../../../../lib/postgresql/config-synchronous.ts'
import type { CommitRule } from '../../../../lib/postgresql/decide-durability.ts'

const rules = new Map<string, CommitRule>()

/** The commit rule that this text of synchronous_standby_names stands for. There are few, and each is read often. */
export function ruleOf(text: string): CommitRule {
  const before = rules.get(text)
  if (before) return before
  const rule = parseSynchronous(text)
  rules.set(text, rule)
  return rule
}
