import type { Joining } from './joining.ts'
import { consulKeys } from './manifest.ts'

/**
 * How a daemon takes a new configuration. Those of a member have started with one of ours, so that a reload is enough, which keeps
 * sessions and the virtual IP; before that they have to be restarted.
 */
export async function howToApply({
  consul,
  machine,
}: Pick<Joining, 'consul' | 'machine'>): Promise<'reload' | 'restart'> {
  return (await consul.get(consulKeys.node(machine.node))) === null ? 'restart' : 'reload'
}
