import { EXIT, UnderstudyError } from '../core/errors.ts'
import type { Consul } from './client.ts'
import { consulKeys } from './manifest.ts'

/** What the cluster has behind PgBouncer, the application's database first, and its settings. */
export interface Behind {
  databases: readonly string[]
  settings: Readonly<Record<string, string>>
}

/**
 * What is behind PgBouncer. A document that is malformed, which the check reports, counts as none: clients must find a new primary.
 * @throws where Consul does not answer.
 */
export async function readBehind(consul: Consul, database: string): Promise<Behind> {
  const pooled = await consul.get(consulKeys.pooled).catch((error: unknown) => {
    if (error instanceof UnderstudyError && error.exitCode === EXIT.data) return null
    throw error
  })
  return {
    databases: [...new Set([database, ...(pooled?.value.databases ?? [])])],
    settings: pooled?.value.settings ?? {},
  }
}
