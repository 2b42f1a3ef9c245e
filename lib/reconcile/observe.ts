import { type Leadership, UNKNOWN, type Unknown } from '../decide/facts.ts'
import { EXIT, UnderstudyError } from '../errors.ts'
import { kv } from '../kv.ts'
import type { Consul } from '../world/consul.ts'

/** A read whose service does not answer is the fact `unknown`; any other failure stays an error. */
export async function known<T>(read: Promise<T>): Promise<T | Unknown> {
  try {
    return await read
  } catch (error) {
    if (error instanceof UnderstudyError && error.exitCode === EXIT.unavailable) return UNKNOWN
    throw error
  }
}

/** The lock and what was published, by consistent reads. */
export async function readLeadership(consul: Consul): Promise<Leadership> {
  const [leader, primary] = await Promise.all([consul.get(kv.leader), consul.get(kv.primary)])
  return { leader, primary: primary?.value ?? null }
}
