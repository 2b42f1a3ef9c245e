import { orUnknown } from '../core/unknown.ts'
import type { ServiceTagFacts } from './decide-service-tag.ts'
import { valueIn } from './entry.ts'
import type { Context } from './handler.ts'
import { consulKeys } from './manifest.ts'

/** The service whose tag says which role this machine's database has. */
export const TAGGED_SERVICE = 'postgresql'

/** The published primary, and the tags of this machine's database. */
export async function observeServiceTag({ settings, consul }: Context): Promise<ServiceTagFacts> {
  const [primary, tags] = await Promise.all([
    orUnknown(consul.get(consulKeys.primary)),
    orUnknown(consul.serviceTags(TAGGED_SERVICE)),
  ])
  return { node: settings.node, primary: valueIn(primary), tags }
}
