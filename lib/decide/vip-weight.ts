import type { PlacementPolicy, Primary } from '../kv.ts'
import { UNKNOWN, type Unknown } from './facts.ts'

/** Added to the primary's VRRP priority. More than the largest gap between priorities, so that it always decides. */
export const PRIMARY_WEIGHT = 100

export interface VipWeightFacts {
  node: string
  policy: PlacementPolicy | Unknown
  primary: Primary | null | Unknown
  /** What keepalived's track file holds, or null. */
  file: string | null
}

export interface VipWeightPlan {
  do: 'nothing' | 'write'
  why: string
  file?: string
}

/** With policy `with-primary` the primary weighs more than all others; with `fixed` nobody does. */
export function decideVipWeight({ node, policy, primary, file }: VipWeightFacts): VipWeightPlan {
  if (policy === UNKNOWN || primary === UNKNOWN) {
    return file === null
      ? { do: 'write', why: 'Consul does not answer and no primary is known', file: '0\n' }
      : { do: 'nothing', why: 'Consul does not answer' }
  }
  const heavy = policy === 'with-primary' && primary?.node === node
  const wanted = `${heavy ? PRIMARY_WEIGHT : 0}\n`
  const why =
    policy === 'fixed' ? 'the virtual IP stays by priority' : `${primary?.node ?? 'nobody'} is the primary`
  return file === wanted ? { do: 'nothing', why } : { do: 'write', why, file: wanted }
}
