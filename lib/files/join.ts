import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import type { Consul } from '../consul/client.ts'
import { type Joining, type Part, settingsOf } from '../consul/joining.ts'
import { readText, replaceFile } from '../core/atomic-files.ts'
import { EXIT, UnderstudyError } from '../core/errors.ts'
import { run } from '../core/exec.ts'
import { checkPorts } from '../core/ports.ts'
import { ensureRunning, unit } from '../core/systemd.ts'
import { type SystemUser, systemGroup, systemUser } from '../core/users.ts'
import { waitFor } from '../core/wait.ts'
import { checkMounts, uniquePart } from './change-folders.ts'
import { localSyncthing } from './client.ts'
import { foldersIn, renderSyncthing, SYNCTHING_API_PORT, SYNCTHING_PORT } from './config.ts'
import { usedText } from './decide.ts'
import { DEFAULT_PATHS, defaultFolders, type Folders } from './decide-folders.ts'
import { deviceIdOf, identityProblem } from './decide-identity.ts'
import { inspectDirectory, ownershipOf } from './directory.ts'
import { readSharedFolders } from './document.ts'
import { type FoldersDocument, filesKeys, filesPaths, filesUnits } from './manifest.ts'
import { runSyncthingHandler } from './run.ts'

/** Keys and certificates, on a slow machine without much entropy. */
const GENERATE_MS = 60_000
/** It reads its database before it answers. */
const START_MS = 60_000
/** It says at once whether it answers. */
const ANSWER_EVERY_MS = 50

const setUp = { phase: 'daemons', title: 'set up Syncthing', run: setUpSyncthing } as const

/** Syncthing's part of a join. */
export const part: Part = {
  async look({ options, cluster, consul, machine, placement }) {
    await fileUsers()
    checkPorts(filesUnits.syncthing, [
      { port: SYNCTHING_PORT, address: placement.address },
      { port: SYNCTHING_API_PORT, address: '127.0.0.1' },
    ])
    if (cluster) await checkIdentity(machine.node, consul)
    const folders = cluster ? await readSharedFolders(consul) : null
    const paths = folders ? [...folders.valid.values()].map(({ path }) => path) : DEFAULT_PATHS
    const configured = foldersIn(readText(filesPaths.config) ?? '').map(({ path }) => path)
    for (const path of paths) if (!configured.includes(path)) checkMounts(path)
    if (cluster && options.as === 'joiner' && !options.mergeFiles) await checkOwnFiles(folders)
  },
  steps: [setUp],
  upgrade: [setUp],
  leave: [],
}

/** Who Syncthing runs as, and who may use its API. */
const fileUsers = async (): Promise<{ syncthing: SystemUser; consul: SystemUser; gid: number }> => ({
  syncthing: await systemUser('understudy-syncthing'),
  consul: await systemUser('consul'),
  gid: await systemGroup('understudy-files'),
})

/** @throws where this machine is a copy of another one: neither would be connected. */
async function checkIdentity(node: string, consul: Consul): Promise<void> {
  const certificate = readText(filesPaths.certificate)
  if (certificate === null) return
  const { valid } = await consul.list(filesKeys.nodes)
  const wrong = identityProblem(node, deviceIdOf(certificate), valid)
  if (wrong !== null) throw new UnderstudyError(EXIT.config, wrong)
}

/** @throws one sentence where this machine has files that the join would merge with those of the cluster. */
async function checkOwnFiles(folders: Folders | null): Promise<void> {
  if (folders === null) return
  const configured = foldersIn(readText(filesPaths.config) ?? '').map(({ id }) => id)
  for (const folder of folders.valid.values()) {
    if (configured.includes(folder.id)) continue
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
 * it has in them; any other only with --merge-files.
 */
async function setUpSyncthing(joining: Joining): Promise<void> {
  const { consul, options } = joining
  const { node, address } = settingsOf(joining)
  const { syncthing, consul: owner, gid } = await fileUsers()
  const configured = configuredKey()
  const apiKey = configured ?? randomBytes(24).toString('hex')
  if (configured === null) await configure(address, apiKey, syncthing)
  replaceFile(filesPaths.apiKey, `${apiKey}\n`, { uid: owner.uid, gid, mode: 0o640 })
  // An earlier version has started it without mounts of its own.
  if (!existsSync(filesPaths.view)) await unit('stop', filesUnits.syncthing)
  // It writes its configuration itself from then on.
  await ensureRunning(filesUnits.syncthing, configured === null ? [filesPaths.config] : [])
  const deviceId = await waitFor(
    'Syncthing to answer',
    START_MS,
    () => localSyncthing().deviceId(),
    ANSWER_EVERY_MS,
  )

  const members = await consul.list(filesKeys.nodes)
  const others = [...members.valid.keys(), ...members.malformed].filter((name) => name !== node)
  // Only where there is nobody yet: a document that was lost must not be made anew with other ids.
  if (others.length === 0) await consul.compareAndSet(filesKeys.folders, await firstFolders(), null)
  const published = members.valid.get(node)
  if (published?.deviceId !== deviceId || published.address !== address)
    await consul.set(filesKeys.node(node), { schema: 1, deviceId, address })
  const mergeFiles = options.as === 'joiner' && options.mergeFiles
  await runSyncthingHandler(mergeFiles || others.length === 0 ? '/' : null)
}

/** The folders of a new cluster. A directory that is here already keeps its owner and mode, which the others then take over. */
async function firstFolders(): Promise<FoldersDocument> {
  const made = { owner: 'root', group: 'root', mode: '0755' }
  const found = DEFAULT_PATHS.map(
    async (path) => [path, existsSync(path) ? await ownershipOf(path) : made] as const,
  )
  return defaultFolders(await Promise.all(found), uniquePart)
}

/**
 * Makes the key that the others know this machine by, where there is none, and the configuration of the first start. The password
 * is not kept: whoever may use the API has its key.
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

/** The API key in our configuration; null where the configuration is not ours. */
const configuredKey = (): string | null =>
  valueIn('listenAddress')?.startsWith('tcp://') ? valueIn('apikey') : null

/** The text of the first element of that name in Syncthing's configuration. */
const valueIn = (element: string): string | null =>
  new RegExp(`<${element}>([^<]+)</${element}>`).exec(readText(filesPaths.config) ?? '')?.[1] ?? null
