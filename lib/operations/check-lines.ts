import type { Context } from '../consul/handler.ts'
import { consulUnits } from '../consul/manifest.ts'
import type { CheckLine, Component } from '../core/component.ts'
import { queueUnit, unitStates } from '../core/systemd.ts'
import { decideUpgradeCheck, type UpgradeFacts } from './decide-upgrade.ts'
import { observeUpgrade } from './observe-upgrade.ts'

/** All lines of the periodic check: those of the components, and one for the units that have to run. */
export async function checkLines(components: readonly Component<Context>[]): Promise<CheckLine<Context>[]> {
  const parts = await Promise.all(components.map(async ({ check }) => (await check?.())?.lines ?? []))
  return [...parts.flat(), daemonsLine(components.flatMap(({ daemons }) => daemons)), upgrade]
}

/** Has this build configured the machine, as the cluster is? Looks at files and one key, so that it costs next to nothing. */
const upgrade: CheckLine<Context, UpgradeFacts> = {
  name: 'upgrade',
  observe: observeUpgrade,
  decide: decideUpgradeCheck,
  async apply(plan) {
    if (plan.do === 'start') await queueUnit('start', consulUnits.upgrade)
  },
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
    const why =
      down.length > 0 ? `these units do not run: ${down.join(', ')}; see systemctl status` : 'every unit runs'
    return { do: 'nothing', why, problems: down.length > 0 ? [why] : [] }
  },
  apply: async () => {},
})
