/** Consul for the lab's machines: Debian's last package of it, from a suite that nothing else may be drawn from. */
import type { Mirror } from './mirror.ts'
import { downloadPackages } from './packages.ts'

/** The last Debian release that has Consul (1.8.7); its package installs on the later ones too. */
export const CONSUL_SUITE = 'bullseye'

/** Downloads the package with an apt state directory of its own; gives the path of the .deb. */
export async function downloadConsul(mirror: Mirror, directory: string): Promise<string> {
  const [deb] = await downloadPackages(mirror, CONSUL_SUITE, ['consul'], directory)
  return deb as string
}
