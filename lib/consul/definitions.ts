import type { Component, ConsulDefinitions, ConsulSettings } from '../core/component.ts'
import { DEFAULT_PREFIX } from './entry.ts'

/** What a file of consul-config/ says: keys are spelled out with the default prefix. */
interface Template {
  services: ConsulDefinitions['services']
  watches: readonly { key?: string; prefix?: string; args: readonly string[] }[]
}

/** The definitions of a file of consul-config/ with the keys of this cluster. */
export const definitionsOf = (
  { services, watches }: Template,
  { kvPrefix }: Pick<ConsulSettings, 'kvPrefix'>,
): ConsulDefinitions => ({
  services,
  watches: watches.map(({ key, prefix, ...watch }) => ({
    ...watch,
    ...(key === undefined ? {} : { key: withPrefix(key, kvPrefix) }),
    ...(prefix === undefined ? {} : { prefix: withPrefix(prefix, kvPrefix) }),
  })),
})

const withPrefix = (key: string, prefix: string): string => prefix + key.slice(DEFAULT_PREFIX.length)

/** Ids of the checks that every member has for these components. */
export const checkIdsOf = (components: readonly Pick<Component<never>, 'consul'>[]): string[] =>
  components.flatMap((component) =>
    component
      .consul({ kvPrefix: DEFAULT_PREFIX, postgresqlPort: 5432, postgresqlVersion: 17 })
      .services.flatMap(({ checks }) => checks.map(({ id }) => id)),
  )
