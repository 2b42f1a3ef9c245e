import { readFileSync } from 'node:fs'
import type { Primary } from '../consul/manifest.ts'
import { postgresqlPaths } from './manifest.ts'

/** How long the question of `silent-primary` waits for an answer. Later nobody knows whether there was one. */
const WAIT_MS = 2000

/**
 * How long ago `leader-released` has asked this primary, in ms; null where it has not, or has got an answer. It is the first to know that
 * the lock is free, and a failover starts other processes before it can ask itself.
 */
export function askedBeforeMs({ address, port }: Primary): number | null {
  try {
    const [host, asked, at] = readFileSync(postgresqlPaths.askedPrimary, 'utf8').trim().split(' ')
    const [uptime] = readFileSync('/proc/uptime', 'utf8').split(' ')
    const ageMs = Math.round((Number(uptime) - Number(at)) * 1000)
    return host === address && Number(asked) === port && ageMs >= 0 && ageMs < WAIT_MS ? ageMs : null
  } catch {
    return null
  }
}
