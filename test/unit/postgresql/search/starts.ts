import { renderSynchronous } from '../../../../lib/postgresql/config-synchronous.ts'
import { commitRule } from '../../../../lib/postgresql/decide-durability.ts'
import type { Bounds, Machine, Node, State } from './state.ts'

const standby: Machine = {
  ...{ power: true, net: 'linked', role: 'standby', standbySignal: true, wal: '', promotedFrom: null },
  ...{ served: false, upstream: 'n1', sender: null, rule: '', waits: false, proven: false },
  ...{ stopped: false, plan: null },
}

/** n1 leads. These standbys count, and stream; the others have just come back. */
function start(counted: readonly Node[], left: Bounds): State {
  const commit = commitRule(counted)
  const rule = counted.length > 0 ? renderSynchronous(commit) : ''
  const one = (node: Node): Machine => (counted.includes(node) ? { ...standby, sender: rule } : standby)
  const n1: Machine = {
    ...standby,
    ...{ role: 'primary', standbySignal: false, served: true, upstream: null },
    ...{ rule, waits: rule !== '', proven: rule !== '' },
  }
  return {
    machines: { n1, n2: one('n2'), n3: one('n3') },
    consul: {
      ...{ elected: true, holder: 'n1 leader', last: 'n1' },
      ...{ primary: { node: 'n1', timeline: 1 }, current: true },
      sync: {
        schema: 1,
        node: 'n1',
        voters: [...counted],
        waits: counted.length > 0,
        need: Math.max(1, counted.length - commit.count + 1),
      },
    },
    left,
    acknowledged: '',
  }
}

/** Where the search begins: n1 leads. */
export const STARTS: readonly { what: string; begin: (left: Bounds) => State }[] = [
  { what: 'all is in order', begin: (left) => start(['n2', 'n3'], left) },
  { what: 'n3 has just come back and does not count yet', begin: (left) => start(['n2'], left) },
  { what: 'n1 was alone, and both standbys have just come back', begin: (left) => start([], left) },
]
