import type * as v from 'valibot'

/** A key of the cluster in Consul, relative to the prefix, with the schema of its value: a JSON object with a `schema` number. */
export interface Key<T> {
  readonly path: string
  readonly schema: v.GenericSchema<unknown, T>
}

export const key = <T>(path: string, schema: v.GenericSchema<unknown, T>): Key<T> => ({ path, schema })

/** Any key, or what makes one for a machine. */
export type AnyKey = Key<unknown> | ((...parts: string[]) => Key<unknown>)
