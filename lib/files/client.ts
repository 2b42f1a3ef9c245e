import { readFileSync } from 'node:fs'
import { exists } from '../core/atomic-files.ts'
import { EXIT, UnderstudyError } from '../core/errors.ts'
import { HttpError, type JsonRequest, requestJson } from '../core/http.ts'
import { keepNothing, keepQuestion } from '../core/questions.ts'
import type {
  Completion,
  FileInfo,
  FolderStatus,
  NeededFile,
  SharedFolder,
  SyncthingDevice,
  TreeEntry,
} from './api.ts'
import { SYNCTHING_API_PORT, type Values } from './config.ts'
import { filesPaths } from './manifest.ts'

/** How many files one request asks for. */
const PAGE = 10_000
/** How many errors are read at most. */
const ERRORS = 1000

/** What counts of an answer of which the rest changes by itself, for {@link keepQuestion}: by path, without the query. */
const COUNTS: Readonly<Record<string, string>> = {
  // A scan that has found nothing leaves its time.
  '/rest/db/status': '"(?!stateChanged")\\w+": *[^,}]*',
  '/rest/system/status': '"myID": *"[^"]*"',
  '/rest/system/connections': '"[A-Z2-7-]{63}"|"connected": *\\w+',
}

/** Escaped for a URL. */
const part = (value: unknown): string => encodeURIComponent(String(value))

/**
 * The Syncthing of this machine, through its REST API (https://docs.syncthing.net/dev/rest.html), with a deadline on every
 * request. Works with 1.19 and later. Throws {@link UnderstudyError}: `unavailable` if it does not answer, `config` if it rejects
 * our key, `failed` if it refuses the request.
 */
export class Syncthing {
  readonly #key: string
  readonly #port: number
  readonly #timeoutMs: number

  constructor({
    key,
    port = SYNCTHING_API_PORT,
    timeoutMs = 5000,
  }: { key: string; port?: number; timeoutMs?: number }) {
    this.#key = key
    this.#port = port
    this.#timeoutMs = timeoutMs
  }

  async deviceId(): Promise<string> {
    const { myID } = (await this.#ask('ask for its id', 'GET', '/rest/system/status')) as { myID: string }
    return myID
  }

  async options(): Promise<Values> {
    return (await this.#ask('read its options', 'GET', '/rest/config/options')) as Values
  }

  async changeOptions(values: Values): Promise<void> {
    await this.#ask('change its options', 'PATCH', '/rest/config/options', values)
  }

  async devices(): Promise<(SyncthingDevice & Values)[]> {
    return (await this.#ask('list devices', 'GET', '/rest/config/devices')) as (SyncthingDevice & Values)[]
  }

  /** The devices of the other machines. */
  async otherDevices(): Promise<SyncthingDevice[]> {
    const [own, devices] = await Promise.all([this.deviceId(), this.devices()])
    return devices.filter(({ deviceID }) => deviceID !== own)
  }

  async addDevice(values: Values): Promise<void> {
    await this.#ask(
      `add ${values['name']}`,
      'PUT',
      `/rest/config/devices/${part(values['deviceID'])}`,
      values,
    )
  }

  async changeDevice(id: string, values: Values): Promise<void> {
    await this.#ask(`change the device ${id}`, 'PATCH', `/rest/config/devices/${part(id)}`, values)
  }

  async removeDevice(id: string): Promise<void> {
    await this.#ask(`remove the device ${id}`, 'DELETE', `/rest/config/devices/${part(id)}`)
  }

  async folders(): Promise<(SharedFolder & Values)[]> {
    return (await this.#ask('list folders', 'GET', '/rest/config/folders')) as (SharedFolder & Values)[]
  }

  async addFolder(values: Values): Promise<void> {
    await this.#ask(
      `add the folder ${values['label']}`,
      'PUT',
      `/rest/config/folders/${part(values['id'])}`,
      values,
    )
  }

  async changeFolder(id: string, values: Values): Promise<void> {
    await this.#ask(`change the folder ${id}`, 'PATCH', `/rest/config/folders/${part(id)}`, values)
  }

  async removeFolder(id: string): Promise<void> {
    await this.#ask(`remove the folder ${id}`, 'DELETE', `/rest/config/folders/${part(id)}`)
  }

  /** When it has started, as it says itself. */
  async startedAt(): Promise<string> {
    const said = await this.#ask('ask when it started', 'GET', '/rest/system/status')
    return (said as { startTime: string }).startTime
  }

  /** Forgets what it knows of a folder that is paused; then it ends, and systemd starts it again. */
  async forgetFolder(folder: string): Promise<void> {
    await this.#ask('forget a folder', 'POST', `/rest/system/reset?folder=${part(folder)}`)
  }

  /** It ends, and systemd starts it again. */
  async restart(): Promise<void> {
    await this.#ask('restart it', 'POST', '/rest/system/restart')
  }

  /** The lines of a folder's .stignore. */
  async ignores(folder: string): Promise<string[]> {
    const said = await this.#ask('read ignore patterns', 'GET', `/rest/db/ignores?folder=${part(folder)}`)
    return (said as { ignore: string[] | null }).ignore ?? []
  }

  async setIgnores(folder: string, ignore: readonly string[]): Promise<void> {
    await this.#ask('set ignore patterns', 'POST', `/rest/db/ignores?folder=${part(folder)}`, { ignore })
  }

  /** Ids of the devices that are connected now. */
  async connected(): Promise<Set<string>> {
    const said = await this.#ask('list connections', 'GET', '/rest/system/connections')
    const { connections } = said as { connections: Record<string, { connected: boolean }> }
    return new Set(Object.entries(connections).flatMap(([id, { connected }]) => (connected ? [id] : [])))
  }

  async folderStatus(folder: string): Promise<FolderStatus> {
    const said = await this.#ask('ask for a folder', 'GET', `/rest/db/status?folder=${part(folder)}`)
    // 1.19 leaves these out if they are empty.
    return { error: '', watchError: '', ...(said as Omit<FolderStatus, 'error' | 'watchError'>) }
  }

  /** Files of a folder that could not be read or written here, and why; of many only the first. */
  async errors(folder: string): Promise<{ path: string; error: string }[]> {
    const query = `folder=${part(folder)}&perpage=${ERRORS}`
    const said = await this.#ask('ask for errors', 'GET', `/rest/folder/errors?${query}`)
    return (said as { errors: { path: string; error: string }[] | null }).errors ?? []
  }

  async completion(folder: string, device: string): Promise<Completion> {
    const query = `folder=${part(folder)}&device=${device}`
    return (await this.#ask('ask for completion', 'GET', `/rest/db/completion?${query}`)) as Completion
  }

  /** Everything a device lacks of a folder, by what it has announced. Of all answers only this one is right in every version. */
  async needs(folder: string, device: string): Promise<NeededFile[]> {
    const found: NeededFile[] = []
    for (let page = 1; ; page++) {
      const query = `folder=${part(folder)}&device=${device}&page=${page}&perpage=${PAGE}`
      const said = await this.#ask('ask what is lacking', 'GET', `/rest/db/remoteneed?${query}`)
      const files = (said as { files: NeededFile[] | null }).files ?? []
      found.push(...files)
      if (files.length < PAGE) return found
    }
  }

  /** Grows with every change of what this machine has of a folder. The one of {@link folderStatus} counts others too in 1.19. */
  async sequence(folder: string): Promise<number> {
    const said = await this.#ask(
      'ask for the sequence number',
      'GET',
      `/rest/db/completion?folder=${part(folder)}`,
    )
    return (said as Completion).sequence
  }

  /** Every file and directory in a folder, or below one path in it, that any machine has announced and not deleted. */
  async names(folder: string, path: string | null, timeoutMs: number): Promise<string[]> {
    const prefix = path === null ? '' : `&prefix=${part(path)}`
    const query = `folder=${part(folder)}${prefix}`
    const tree = await this.#ask('list files', 'GET', `/rest/db/browse?${query}`, undefined, timeoutMs)
    return namesIn(tree as TreeEntry[], path === null ? '' : `${path}/`)
  }

  /** Scans the disk, the whole folder or one path in it; returns when that is done. */
  async scan(folder: string, path: string | null, timeoutMs: number): Promise<void> {
    const sub = path === null ? '' : `&sub=${part(path)}`
    await this.#ask(
      'scan a folder',
      'POST',
      `/rest/db/scan?folder=${part(folder)}${sub}`,
      undefined,
      timeoutMs,
    )
  }

  /** What this machine has at a path of a folder, or null if there never was anything. */
  async file(folder: string, path: string): Promise<FileInfo | null> {
    try {
      const query = `folder=${part(folder)}&file=${part(path)}`
      const said = await this.#ask('ask for a file', 'GET', `/rest/db/file?${query}`)
      return (said as { local: FileInfo }).local
    } catch (error) {
      if (((error as Error).cause as HttpError | undefined)?.statusCode === 404) return null
      throw error
    }
  }

  async #ask(
    what: string,
    method: JsonRequest['method'],
    path: string,
    body?: unknown,
    timeoutMs = this.#timeoutMs,
  ): Promise<unknown> {
    const request = {
      method,
      path,
      headers: { 'X-API-Key': this.#key },
      ...(body === undefined ? {} : { body }),
    }
    if (method === 'GET') keepQuestion('syncthing', method, path, '', COUNTS[path.replace(/\?.*/, '')] ?? '')
    else keepNothing()
    try {
      return await requestJson(this.#port, request, timeoutMs)
    } catch (cause) {
      if (!(cause instanceof HttpError))
        throw new UnderstudyError(EXIT.unavailable, `could not ${what}: Syncthing does not answer`, { cause })
      if (cause.statusCode === 403)
        throw new UnderstudyError(
          EXIT.config,
          `Syncthing rejects the key in ${filesPaths.apiKey}; run understudy join again`,
        )
      throw new UnderstudyError(EXIT.failed, `could not ${what}: Syncthing refused`, { cause })
    }
  }
}

const namesIn = (tree: readonly TreeEntry[], above: string): string[] =>
  tree.flatMap(({ name, children = [] }) => [`${above}${name}`, ...namesIn(children, `${above}${name}/`)])

/** Are files replicated on this machine? A member that joined before files were has no key. */
export const replicatesFiles = (): boolean => exists(filesPaths.apiKey)

/** The Syncthing of this machine. @throws `config` if it is not set up, or this user may not use it. */
export function localSyncthing(timeoutMs?: number): Syncthing {
  try {
    const key = readFileSync(filesPaths.apiKey, 'utf8').trim()
    return new Syncthing({ key, ...(timeoutMs === undefined ? {} : { timeoutMs }) })
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT')
      throw new UnderstudyError(
        EXIT.config,
        'files are not replicated on this machine yet; run understudy join again',
      )
    if (code === 'EACCES')
      throw new UnderstudyError(
        EXIT.config,
        'this command needs root, or a user of the group understudy-files; run it with sudo',
      )
    throw new UnderstudyError(EXIT.config, `could not read ${filesPaths.apiKey}`, { cause })
  }
}
