import type { CheckLine } from '../core/component.ts'
import type { Key } from '../core/key.ts'
import { orUnknown, UNKNOWN, type Unknown } from '../core/unknown.ts'
import type { Listing } from './entry.ts'
import type { Context } from './handler.ts'

interface DocumentFacts {
  listing: Listing<unknown> | Unknown
}

/** A line of the check that says which documents below a prefix key this machine cannot read: the work goes on without them. */
export const readable = (name: string, key: Key<unknown>): CheckLine<Context, DocumentFacts> => ({
  name,
  observe: async ({ consul }) => ({ listing: await orUnknown(consul.list(key)) }),
  decide({ listing }) {
    const problems = listing === UNKNOWN ? [] : listing.problems
    return { do: 'nothing', why: problems.join('; ') || 'every document can be read', problems }
  },
  apply: async () => {},
})
