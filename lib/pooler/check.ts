import { repairedBy } from '../consul/repair.ts'
import { pooler } from './reconciler.ts'

/** This component's lines of the periodic check. */
export const lines = [repairedBy(pooler, 'lead-changed')]
