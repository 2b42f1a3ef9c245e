import { components } from '../../../lib/components.ts'

interface Check {
  id: string
  interval?: string
  failures_before_critical?: number
  args?: string[]
}

const all = components.map((component) =>
  component.consul({ kvPrefix: 'understudy/', postgresqlPort: 5432, postgresqlVersion: 17 }),
)

/** What Consul is given of every component. */
export const definitions = {
  services: all.flatMap(({ services }) => services) as unknown as {
    id: string
    port?: number
    checks: Check[]
  }[],
  watches: all.flatMap(({ watches }) => watches) as {
    args: string[]
    type: string
    key?: string
    prefix?: string
  }[],
}
