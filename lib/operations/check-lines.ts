import type { Context } from '../consul/handler.ts'
import type { CheckLine, Component } from '../core/component.ts'
import { unitStates } from '../core/systemd.ts'

/** All lines of the periodic check: those of the components, and one for the units that have to run. */
export async function checkLines(components: readonly Component<Context>[]): Promise<CheckLine<Context>[]> {
  const parts = await Promise.all(components.map(async ({ check }) => (await check?.())?.lines ?? []))
  return [...parts.flat(), daemonsLine(components.flatMap(({ daemons }) => daemons))]
}

const RUNNING = ['active', 'activating', 'reloading']

/** Says which units do not run that have to. */
const daemonsLine = (
  units: readonly string[],
): CheckLine<Context, { states: ReadonlyMap<string, string> }> => ({
  name: 'units',
  observe: async () => ({ states: await unitStates(units) }),
  decide({ states }) {
    const down = [...states].filter(([, state]) => !RUNNING.includes(state)).map(([unit]) => unit)
    const why = down.length > 0 ? `not running: ${down.join(', ')}` : 'every unit runs'
    return { do: 'nothing', why, problems: down.length > 0 ? [why] : [] }
  },
  apply: async () => {},
})
