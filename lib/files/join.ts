import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import type { Consul } from '../consul/client.ts'
import { readText, replaceFile } from '../core/atomic-files.ts'
import { EXIT, UnderstudyError } from '../core/errors.ts'
import { run } from '../core/exec.ts'
import type { Settings } from '../core/settings.ts'
import { ensureRunning } from '../core/systemd.ts'
import type { SystemUser } from '../core/users.ts'
import { waitFor } from '../core/wait.ts'
import { uniquePart } from './change-folders.ts'
import { localSyncthing } from './client.ts'
import { renderSyncthing } from './config.ts'
import { usedText } from './decide.ts'
import { DEFAULT_PATHS, defaultFolders, type Folders } from './decide-folders.ts'
import { inspectDirectory, ownershipOf } from './directory.ts'
import { type FoldersDocument, filesKeys, filesPaths, filesUnits } from './manifest.ts'
import { runSyncthingHandler } from './run.ts'

const GENERATE_MS = 60_000
/** It reads its database before it answers. */
const START_MS = 60_000

/** Who Syncthing runs as, and who may use its API. */
export interface FilesUsers {
  syncthing: SystemUser
  consul: SystemUser
  filesGroup: number
}

/** A machine with files of its own is told so before they become everybody's. @throws one sentence that names them. */
export async function checkOwnFiles(folders: Folders | null, mergeFiles: boolean): Promise<void> {
  if (folders === null || mergeFiles) return
  const config = readText(filesPaths.config) ?? ''
  for (const folder of folders.valid.values()) {
    if (config.includes(`<folder id="${folder.id}"`)) continue
    const directory = await inspectDirectory(folder)
    if (directory.state !== 'used') continue
    throw new UnderstudyError(
      EXIT.config,
      `${usedText(folder.path, directory)}, which would be merged with those of the cluster; move them away, or say --merge-files`,
    )
  }
}

/**
 * Syncthing with a key of its own, published for the others, and the folders of the cluster. The first machine brings in what
 * it has in them; any other only where `mergeFiles` says so.
 */
export async function setUpSyncthing(
  consul: Consul,
  { node, address }: Settings,
  { syncthing, consul: owner, filesGroup: gid }: FilesUsers,
  { mergeFiles }: { mergeFiles: boolean },
): Promise<void> {
  const found = configuredKey()
  const apiKey = found ?? randomBytes(24).toString('hex')
  if (found === null) await configure(address, apiKey, syncthing)
  replaceFile(filesPaths.apiKey, `${apiKey}\n`, { uid: owner.uid, gid, mode: 0o640 })
  // It writes its configuration itself from then on.
  await ensureRunning(filesUnits.syncthing, found === null ? [filesPaths.config] : [])
  const deviceId = await waitFor('Syncthing answers', START_MS, () => localSyncthing().deviceId())

  const members = await consul.listValid(filesKeys.nodes)
  const others = [...members.valid.keys(), ...members.malformed].filter((name) => name !== node)
  // Only where there is nobody yet: a document that was lost must not be made anew with other ids.
  if (others.length === 0) await consul.compareAndSet(filesKeys.folders, await firstFolders(), 0)
  const published = members.valid.get(node)
  if (published?.deviceId !== deviceId || published.address !== address)
    await consul.set(filesKeys.node(node), { schema: 1, deviceId, address })
  await runSyncthingHandler(mergeFiles || others.length === 0 ? '/' : null)
}

/** The folders of a new cluster. A directory that this machine has already keeps its owner and mode, here and elsewhere. */
async function firstFolders(): Promise<FoldersDocument> {
  const made = { owner: 'root', group: 'root', mode: '0755' }
  const found = DEFAULT_PATHS.map(
    async (path) => [path, existsSync(path) ? await ownershipOf(path) : made] as const,
  )
  return defaultFolders(await Promise.all(found), uniquePart)
}

/**
 * Makes the key that the others know this machine by, where there is none, and the configuration of the first start. The password
 * is told to nobody: whoever may use the API has its key.
 */
async function configure(address: string, apiKey: string, owner: SystemUser): Promise<void> {
  const user = 'understudy'
  const argv = [
    ...['generate', `--home=${filesPaths.home}`, '--no-default-folder', '--skip-port-probing'],
    ...[`--gui-user=${user}`, '--gui-password=-'],
  ]
  const input = `${randomBytes(24).toString('hex')}\n`
  await run('syncthing', argv, {
    ...owner,
    input,
    env: { HOME: filesPaths.home },
    timeoutMs: GENERATE_MS,
  })
  const passwordHash = valueIn('password')
  if (passwordHash === null)
    throw new UnderstudyError(EXIT.failed, `syncthing generate has left no password in ${filesPaths.config}`)
  const text = renderSyncthing(address, { apiKey, user, passwordHash })
  replaceFile(filesPaths.config, text, { ...owner, mode: 0o600 })
}

/** The API key of the configuration that we have made; null where it is none of ours. */
const configuredKey = (): string | null =>
  valueIn('listenAddress')?.startsWith('tcp://') ? valueIn('apikey') : null

/** The text of the first element of that name in Syncthing's configuration. */
const valueIn = (element: string): string | null =>
  new RegExp(`<${element}>([^<]+)</${element}>`).exec(readText(filesPaths.config) ?? '')?.[1] ?? null
