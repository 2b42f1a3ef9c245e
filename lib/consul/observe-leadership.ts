import type { Consul } from './client.ts'
import { kv } from './kv.ts'
import type { Leadership } from './leadership.ts'

/** The lock and what was published, by consistent reads. */
export async function readLeadership(consul: Consul): Promise<Leadership> {
  const [leader, primary] = await Promise.all([consul.get(kv.leader), consul.get(kv.primary)])
  return { leader, primary: primary?.value ?? null }
}
