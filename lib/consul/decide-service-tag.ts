import { UNKNOWN, type Unknown } from '../core/unknown.ts'
import type { Primary } from './manifest.ts'

export interface ServiceTagFacts {
  node: string
  primary: Primary | null | Unknown
  /** Tags of this machine's `postgresql` service, or null where it is not registered. */
  tags: readonly string[] | null | Unknown
}

export interface ServiceTagPlan {
  do: 'nothing' | 'tag'
  why: string
  tag?: 'primary' | 'standby'
}

/** The tag decides whether primary.postgresql.service.consul or standby.postgresql.service.consul names this machine. */
export function decideServiceTag({ node, primary, tags }: ServiceTagFacts): ServiceTagPlan {
  if (primary === UNKNOWN || tags === UNKNOWN) return { do: 'nothing', why: 'Consul does not answer' }
  if (tags === null) return { do: 'nothing', why: 'the service is not registered yet' }
  if (primary === null) return { do: 'nothing', why: 'there is no primary yet' }
  const tag = primary.node === node ? 'primary' : 'standby'
  const why = `${primary.node} is the primary`
  return tags.length === 1 && tags[0] === tag ? { do: 'nothing', why } : { do: 'tag', why, tag }
}
