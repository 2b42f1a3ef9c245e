import type { CheckPlan } from '../core/component.ts'
import { type Failure, failedAttempts } from '../core/decide-backoff.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'

export interface UpgradeFacts {
  /** The build that has configured this machine, as it names itself; null where an earlier one has, which did not. */
  configured: string | null
  /** This build. */
  own: string
  /** What each optional part was set up as on this machine, and what it is in the cluster; null: it is not. */
  parts: readonly { title: string; here: string | null; cluster: string | null | Unknown }[]
  /** The failed attempts since the last one that succeeded; null if there are none. */
  failure: Failure | null
}

export type UpgradePlan = { do: 'nothing' | 'configure'; why: string }

/** Whether this machine has to be configured as the installed package and the settings of the cluster want it. */
export function decideUpgrade({ configured, own, parts }: Omit<UpgradeFacts, 'failure'>): UpgradePlan {
  const missing = parts.find(
    ({ here, cluster }) => cluster !== UNKNOWN && cluster !== null && cluster !== here,
  )
  if (configured === own && missing !== undefined)
    return {
      do: 'configure',
      why: `${missing.title} is ${String(missing.cluster)} in this cluster and not set up on this machine`,
    }
  if (configured === own) return { do: 'nothing', why: `this machine is configured by understudy ${own}` }
  const before = configured === null ? 'an earlier build' : `understudy ${configured}`
  return {
    do: 'configure',
    why: `this machine is configured by ${before}, and understudy ${own} is installed`,
  }
}

/** What the operator should know of it. */
export function decideUpgradeCheck(facts: UpgradeFacts): CheckPlan {
  const plan = decideUpgrade(facts)
  if (plan.do === 'nothing') return { ...plan, problems: [] }
  const { failure } = facts
  const why =
    failure === null
      ? plan.why
      : `${plan.why}, but ${failedAttempts(failure, 'to configure it')}: ${failure.reason}`
  return { do: 'start', why, problems: [why] }
}
