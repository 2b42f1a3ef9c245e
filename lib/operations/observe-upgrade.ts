import type { Context } from '../consul/handler.ts'
import { consulKeys } from '../consul/manifest.ts'
import { readText } from '../core/atomic-files.ts'
import { readFailure } from '../core/failure.ts'
import { paths } from '../core/paths.ts'
import { unknownOnFailure } from '../core/unknown.ts'
import { build } from '../core/version.ts'
import { rabbitmqPaths } from '../rabbitmq/manifest.ts'
import type { UpgradeFacts } from './decide-upgrade.ts'

/** Which build has configured this machine, which is installed, what the cluster is made of, and how earlier attempts have failed. */
export const observeUpgrade = async ({ consul }: Context): Promise<UpgradeFacts> => ({
  configured: readText(paths.configured)?.trim() ?? null,
  own: build,
  rabbitmq: {
    here: readText(rabbitmqPaths.configured)?.trim() ?? null,
    cluster: await unknownOnFailure(
      consul.getStale(consulKeys.config).then((config) => config?.value.rabbitmq ?? null),
    ),
  },
  failure: readFailure(paths.upgradeFailed),
})
