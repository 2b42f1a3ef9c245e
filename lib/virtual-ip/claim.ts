import { readText } from '../core/atomic-files.ts'
import { NO_CLAIM } from './decide-weight.ts'
import { virtualIpPaths } from './manifest.ts'

/** Does this machine claim the virtual IP, by keepalived's track file? */
export const claimsAddress = (): boolean => readText(virtualIpPaths.weight) !== `${NO_CLAIM}\n`
