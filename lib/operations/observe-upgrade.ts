import type { Context } from '../consul/handler.ts'
import { consulKeys } from '../consul/manifest.ts'
import { readText } from '../core/atomic-files.ts'
import { readFailure } from '../core/failure.ts'
import { paths } from '../core/paths.ts'
import { UNKNOWN, unknownOnFailure } from '../core/unknown.ts'
import { build } from '../core/version.ts'
import { rabbitmqPart, rabbitmqPaths } from '../rabbitmq/manifest.ts'
import { searchPart, searchPaths } from '../search/manifest.ts'
import type { UpgradeFacts } from './decide-upgrade.ts'

/** The optional parts, and where each notes what this machine's was set up as. */
const PARTS = [
  { ...rabbitmqPart, configured: rabbitmqPaths.configured },
  { ...searchPart, configured: searchPaths.configured },
]

/** Which build has configured this machine, which is installed, what the cluster is made of, and how earlier attempts have failed. */
export async function observeUpgrade({ consul }: Context): Promise<UpgradeFacts> {
  const config = await unknownOnFailure(consul.getStale(consulKeys.config))
  return {
    configured: readText(paths.configured)?.trim() ?? null,
    own: build,
    parts: PARTS.map(({ name, title, configured }) => ({
      title,
      here: readText(configured)?.trim() ?? null,
      cluster: config === UNKNOWN ? UNKNOWN : (config?.value[name] ?? null),
    })),
    failure: readFailure(paths.upgradeFailed),
  }
}
