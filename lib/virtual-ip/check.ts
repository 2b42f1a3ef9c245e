import { repairedBy } from '../consul/repair.ts'
import { virtualIpState } from './state.ts'
import { virtualIpWeight } from './weight.ts'

/** This component's lines of the periodic check. */
export const lines = [
  repairedBy(virtualIpWeight, 'lead-changed'),
  repairedBy(virtualIpState, virtualIpState.name),
]
