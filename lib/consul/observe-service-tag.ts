import { orUnknown, UNKNOWN } from '../core/unknown.ts'
import type { ServiceTagFacts } from './decide-service-tag.ts'
import type { Context } from './handler.ts'
import { consulKeys } from './manifest.ts'

/** The service whose tag tells the role of this machine's database. */
export const TAGGED_SERVICE = 'postgresql'

/** Who is published, and how this machine's database is tagged. */
export async function observeServiceTag({ settings, consul }: Context): Promise<ServiceTagFacts> {
  const [primary, tags] = await Promise.all([
    orUnknown(consul.get(consulKeys.primary)),
    orUnknown(consul.serviceTags(TAGGED_SERVICE)),
  ])
  return { node: settings.node, primary: primary === UNKNOWN ? UNKNOWN : (primary?.value ?? null), tags }
}
