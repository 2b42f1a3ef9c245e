import { readText } from '../core/atomic-files.ts'
import { readFailure } from '../core/failure.ts'
import { paths } from '../core/paths.ts'
import { build } from '../core/version.ts'
import type { UpgradeFacts } from './decide-upgrade.ts'

/** Which build has configured this machine, which is installed, and how earlier attempts have failed. */
export const observeUpgrade = (): UpgradeFacts => ({
  configured: readText(paths.configured)?.trim() ?? null,
  own: build,
  failure: readFailure(paths.upgradeFailed),
})
