import type { Consul } from './client.ts'
import type { Leadership } from './leadership.ts'
import { consulKeys } from './manifest.ts'

/** The lock and what was published, by consistent reads. */
export async function readLeadership(consul: Consul): Promise<Leadership> {
  const [leader, primary] = await Promise.all([consul.get(consulKeys.leader), consul.get(consulKeys.primary)])
  return { leader, primary: primary?.value ?? null }
}
