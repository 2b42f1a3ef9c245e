import type { Context } from '../consul/handler.ts'
import type { CheckLine } from '../core/component.ts'
import { units } from '../core/paths.ts'
import { unitStates } from '../core/systemd.ts'
import { replicatesFiles } from '../files/client.ts'

const RUNNING = ['active', 'activating', 'reloading']

/** Units that run on every member. */
export const daemons: CheckLine<Context, { states: ReadonlyMap<string, string> }> = {
  name: 'units',
  async observe() {
    const watched: string[] = [units.pgbouncer, units.keepalived, units.repmgrd]
    if (replicatesFiles()) watched.push(units.syncthing)
    return { states: await unitStates(watched) }
  },
  decide({ states }) {
    const down = [...states].filter(([, state]) => !RUNNING.includes(state)).map(([unit]) => unit)
    const why = `not running: ${down.join(', ')}`
    return { do: 'nothing', why, problems: down.length > 0 ? [why] : [] }
  },
  apply: async () => {},
}
