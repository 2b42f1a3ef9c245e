/** A key as Consul has it. `session` is null while nobody holds it as a lock. */
export interface Entry<T> {
  value: T
  modifyIndex: number
  /** How often the key was acquired as a lock. */
  lockIndex: number
  session: string | null
}

export const DEFAULT_PREFIX = 'understudy/'
