import * as v from 'valibot'
import { parseCidr } from './network.ts'

/** Parts that documents are made of, in Consul and on disk. */

export const name = v.pipe(v.string(), v.regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'not a host name'))
export const address = v.pipe(v.string(), v.ipv4())
export const port = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65535))
export const count = v.pipe(v.number(), v.integer(), v.minValue(0))
export const time = v.pipe(v.string(), v.isoTimestamp())
/** The name of a database or a role, of what PgBouncer's file takes; in SQL it is always quoted. */
export const identifier = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$/, 'not the name of a database or a role'),
)
export const cidr = v.pipe(
  v.string(),
  v.check((text) => parseCidr(text) !== null, 'not ADDRESS/PREFIX'),
)
