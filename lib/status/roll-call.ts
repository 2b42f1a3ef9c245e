import type { ConsulReadings } from '../consul/decide-status.ts'
import { valueFrom } from '../core/reading.ts'
import type { Settings } from '../core/settings.ts'
import type { Member } from '../core/status.ts'

/** Who is to be asked: the members, as far as Consul tells, and always this machine. Sorted by name. */
export function rollCall(
  { node, address }: Pick<Settings, 'node' | 'address'>,
  { nodes, members }: Pick<ConsulReadings, 'nodes' | 'members'>,
): Member[] {
  const addresses = new Map<string, string>([[node, address]])
  const joined = valueFrom(nodes)
  // Without the list of members Consul's own servers are the best guess.
  for (const member of joined ? [] : (valueFrom(members) ?? []))
    if (member.server) addresses.set(member.name, member.address)
  for (const [name, entry] of joined ?? []) addresses.set(name, entry.value.address)
  return [...addresses]
    .map(([name, at]) => ({ name, address: at }))
    .sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }))
}
