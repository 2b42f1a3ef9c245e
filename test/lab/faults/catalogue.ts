/** Every fault by its name. */
import type { Fault } from './fault.ts'
import { hungFaults } from './hung-faults.ts'
import { loneFaults } from './lone-faults.ts'
import { machineFaults } from './machine-faults.ts'
import { networkFaults } from './network-faults.ts'
import { programFaults } from './program-faults.ts'
import { promotionFaults } from './promotion-faults.ts'
import { rejoinFaults } from './rejoin-faults.ts'
import { sequenceFaults } from './sequence-faults.ts'

const catalogue = {
  ...machineFaults,
  ...networkFaults,
  ...programFaults,
  ...hungFaults,
  ...sequenceFaults,
  ...promotionFaults,
  ...rejoinFaults,
  ...loneFaults,
}

export type FaultName = keyof typeof catalogue

export const faultNames = Object.keys(catalogue) as FaultName[]
export const faultNamed = (name: FaultName): Fault => catalogue[name]
