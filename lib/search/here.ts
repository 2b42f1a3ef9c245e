import { existsSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { exists, readText } from '../core/atomic-files.ts'
import { EXIT, UnderstudyError } from '../core/errors.ts'
import type { Settings } from '../core/settings.ts'
import { unitProperties } from '../core/systemd.ts'
import type { SearchAddress } from './client.ts'
import { withoutOurs } from './config.ts'
import { chooseServer, type ServerPlace } from './decide-server.ts'
import { authorities, clientsAt, dataDirectories, hasTls } from './decide-settings.ts'
import { type Setting, settingsIn } from './decide-yaml.ts'
import { type SearchKind, searchPaths, searchSettings } from './manifest.ts'

const KINDS: readonly SearchKind[] = ['opensearch', 'elasticsearch']

/** The search server of this machine, as the operator has set it up. */
export interface InstalledServer extends ServerPlace {
  /** The file of its settings. */
  file: string
  /** The operator's settings. */
  settings: ReadonlyMap<string, Setting>
}

const refuse = (why: string): UnderstudyError => new UnderstudyError(EXIT.config, why)

/** @returns the search server of this machine. Needs root. @throws one sentence where there is none, or it is not understood. */
export async function readServer(
  named: Pick<Settings, 'searchUnit' | 'searchConfig'>,
): Promise<InstalledServer> {
  const { searchUnit: unit = null, searchConfig: directory = null } = named
  const found = KINDS.flatMap((kind) => {
    const place = directory ?? searchPaths.directory(kind)
    return existsSync(searchSettings(place, kind)) ? [{ directory: place, kind }] : []
  })
  const place = chooseServer({ named: { unit, directory }, found })
  if ('why' in place) throw refuse(place.why)
  const loaded = new Map(await unitProperties(place.unit, ['LoadState'])).get('LoadState')
  if (loaded !== 'loaded')
    throw refuse(`systemd has no unit ${place.unit}; name that of the search server with --search-unit`)
  const file = searchSettings(place.directory, place.kind)
  const read = settingsIn(withoutOurs(readText(file) ?? ''))
  if ('line' in read)
    throw refuse(
      `${file} is not understood in line ${read.line}; write it as NAME: VALUE, with the whole name of the setting`,
    )
  return { ...place, file, settings: read.settings }
}

/** Where it answers, and whose certificate it shows. @param address of this member. */
export function addressOf({ settings, directory }: InstalledServer, address: string): SearchAddress {
  const { url } = clientsAt(settings, address)
  if (!hasTls(settings)) return { url, authority: null }
  const files = authorities(settings, directory)
  const authority = files.find((file) => existsSync(file))
  if (authority === undefined)
    throw refuse(
      `the search server here has TLS, and whose certificate it shows is in none of ${files.join(', ')}; put it into the last one`,
    )
  return { url, authority }
}

/** A directory of its data that is not empty; null where there is none. */
export function dataOf({ settings, file }: InstalledServer): string | null {
  const directories = dataDirectories(settings)
  if (directories.length === 0)
    throw refuse(`${file} does not set path.data, so that nobody can see whether the server has data; set it`)
  return (
    directories
      .flatMap((directory) => ['nodes', 'indices', '_state'].map((name) => join(directory, name)))
      .find(exists) ?? null
  )
}

/** @throws where others than root and consul may read the login of the server, or consul may not. */
export function checkLogin(consulGid: number): void {
  if (!exists(searchPaths.login)) return
  const { mode, gid, uid } = statSync(searchPaths.login)
  if (uid === 0 && gid === consulGid && (mode & 0o777) === 0o640) return
  throw refuse(
    `${searchPaths.login} has to be root's, readable by the group consul and nobody else; run chown root:consul and chmod 640 on it`,
  )
}

/** Owner and mode of a file that the server reads beside its settings. */
export function ownersOf(file: string): { uid: number; gid: number; mode: number } {
  const { gid } = statSync(dirname(file))
  return { uid: 0, gid, mode: 0o644 }
}
