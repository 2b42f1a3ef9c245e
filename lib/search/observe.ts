import { valueIn } from '../consul/entry.ts'
import type { Context } from '../consul/handler.ts'
import { consulKeys } from '../consul/manifest.ts'
import { readText } from '../core/atomic-files.ts'
import { orUnknown, UNKNOWN, unknownOnFailure } from '../core/unknown.ts'
import { SearchServer } from './client.ts'
import { departed, type Exclusions, type SearchFacts } from './decide.ts'
import { addressOf, readServer } from './here.ts'
import { searchHosts, searchKeys, searchPaths } from './manifest.ts'

/** What this machine's server was set up as, or how far; null: nothing has begun. */
export const readConfigured = (): string | null => readText(searchPaths.configured)?.trim() ?? null

/** Reads the members and what the search server of this machine knows of them. */
export async function observeSearch({ settings, consul }: Context): Promise<SearchFacts> {
  const [seats, nodes] = await Promise.all([
    orUnknown(consul.get(consulKeys.seats)),
    orUnknown(consul.list(searchKeys.nodes)),
  ])
  const server = await readServer(settings)
  const read: Pick<SearchFacts, 'seats' | 'known'> = {
    seats: valueIn(seats),
    known: nodes === UNKNOWN ? UNKNOWN : new Map([...nodes.valid].map(([name, { id }]) => [name, id])),
  }
  const left = departed(read).length > 0
  return {
    mode: settings.search ?? null,
    configured: readConfigured(),
    ...read,
    hosts: readText(searchHosts(server.directory)),
    exclusions: left ? await readExclusions(new SearchServer(addressOf(server, settings.address))) : null,
  }
}

async function readExclusions(server: SearchServer): Promise<Exclusions | typeof UNKNOWN> {
  const [votes, shards] = await Promise.all([
    unknownOnFailure(server.withoutVote()),
    unknownOnFailure(server.withoutShards()),
  ])
  return votes === UNKNOWN || shards === UNKNOWN ? UNKNOWN : { votes, shards }
}
