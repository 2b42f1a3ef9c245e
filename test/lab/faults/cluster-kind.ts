import type { DurabilityMode } from '../../../lib/consul/manifest.ts'

/** What a scenario is played on. */
export interface ClusterKind {
  readonly machines: number
  readonly durability: DurabilityMode
}

/** What scenarios are played on unless they say something else. */
export const USUAL: ClusterKind = { machines: 3, durability: 'quorum' }
