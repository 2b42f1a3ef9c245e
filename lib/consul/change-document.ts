import { isDeepStrictEqual } from 'node:util'
import { EXIT, UnderstudyError } from '../core/errors.ts'
import type { Key } from '../core/key.ts'
import type { Consul } from './client.ts'

/** Others are at most a few machines: so many lost races in a row are no accident. */
const ATTEMPTS = 20

/**
 * Changes a document by compare-and-set, and again if somebody else was quicker. Writes nothing where nothing changes.
 * @param what is changed, for the error; `empty` is changed where there is no document yet.
 * @returns the change that was made. @throws where the document is missing and must not be.
 */
export async function changeDocument<T, C extends { document: T }>(
  consul: Consul,
  key: Key<T>,
  { what, empty }: { what: string; empty?: T },
  change: (document: T) => C,
): Promise<C> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const entry = await consul.get(key)
    const before = entry?.value ?? empty
    if (before === undefined)
      throw new UnderstudyError(
        EXIT.data,
        `Consul's key ${key.path} is missing; nothing can be changed until it is restored`,
      )
    const changed = change(before)
    if (isDeepStrictEqual(changed.document, before)) return changed
    if (await consul.compareAndSet(key, changed.document, entry)) return changed
  }
  throw new UnderstudyError(EXIT.retry, `other machines kept changing ${what}; try again`)
}
