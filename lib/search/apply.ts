import type { Context } from '../consul/handler.ts'
import { readText, replaceFile } from '../core/atomic-files.ts'
import { EXIT, explain, UnderstudyError } from '../core/errors.ts'
import type { Settings } from '../core/settings.ts'
import { SearchServer } from './client.ts'
import { certificatesIn, renderServer } from './config.ts'
import type { SearchPlan } from './decide.ts'
import type { SearchReport } from './decide-check.ts'
import { addressOf, type InstalledServer, ownersOf, readServer } from './here.ts'
import { searchHosts, searchPaths } from './manifest.ts'

/** Carries out a plan, and leaves a report for the periodic check. */
export async function applySearch(plan: SearchPlan, { settings }: Context): Promise<void> {
  const server = await readServer(settings)
  try {
    keepAddress(server, settings)
    if (plan.hosts !== null) writeHosts(server, plan.hosts)
    const running = new SearchServer(addressOf(server, settings.address))
    if (plan.votes.length > 0) await running.excludeFromVote(plan.votes)
    if (plan.shards !== null) await running.excludeFromShards(plan.shards)
    report({ hosts: plan.listed, problems: plan.problems })
  } catch (error) {
    report({ hosts: null, problems: [...plan.problems, `search: ${explain(error)}`] })
    throw error
  }
}

/** Tells the server where the others are; it reads the file again whenever it looks for them. */
export const writeHosts = (server: InstalledServer, text: string): boolean =>
  replaceFile(searchHosts(server.directory), text, ownersOf(server.file))

/** Tells the check, whose user does not see the directory of the server, where it answers and whose certificate it shows. */
export function keepAddress(server: InstalledServer, { address }: Pick<Settings, 'address'>): void {
  const { url, authority } = addressOf(server, address)
  if (authority !== null) {
    // The user of the server can say which file that is: everybody may read certificates, and nothing else of it.
    const certificates = certificatesIn(readText(authority) ?? '')
    if (certificates === '') throw new UnderstudyError(EXIT.config, `${authority} has no certificate`)
    replaceFile(searchPaths.authority, certificates)
  }
  replaceFile(searchPaths.server, renderServer(url, authority === null ? null : searchPaths.authority))
}

/** Written anew by every run, so that its age tells when the last one was. */
const report = (found: SearchReport): boolean =>
  replaceFile(searchPaths.report, `${JSON.stringify({ at: new Date().toISOString(), ...found })}\n`)
