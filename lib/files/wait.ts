import { setTimeout as pause } from 'node:timers/promises'
import { EXIT, UnderstudyError, usageError } from '../core/errors.ts'
import type { Device, SharedFolder } from './api.ts'
import type { Syncthing } from './client.ts'
import { copiesNeeded, judgeCopies, type MinCopies, type PeerCopy } from './decide-copies.ts'
import { isWithin } from './decide-folders.ts'

export interface WaitOptions {
  /** Only these folders. */
  folders: readonly SharedFolder[]
  /** Only what is at or below this path in each of them; null: everything. */
  path: string | null
  minCopies: MinCopies
  timeoutMs: number
}

export interface Waited {
  /** How many other machines had to have a copy. */
  needed: number
  /** Names of those that have one. */
  complete: string[]
  /** One sentence for each of the others. */
  lacking: string[]
  ms: number
}

/** At least this long from one look to the next; longer where a look takes long. */
const LOOK_AGAIN_MS = 100

/**
 * Waits until what is there now is complete on so many other machines. Files that are made meanwhile do not count; one that is
 * changed meanwhile does.
 * @throws `retry` at the deadline, with what which machine lacks; `usage` where there are not so many machines; `unavailable`
 * where a folder is stopped here; `failed` where something cannot be read here.
 */
export async function waitForCopies(daemon: Syncthing, options: WaitOptions): Promise<Waited> {
  const { folders, path, minCopies, timeoutMs } = options
  const started = performance.now()
  const leftMs = (): number => Math.max(1, Math.ceil(started + timeoutMs - performance.now()))
  const { peers, needed } = await prepare(daemon, folders, minCopies)
  // What is on the disk counts, not what the watcher has seen of it.
  await Promise.all(folders.map((folder) => takeIn(daemon, folder, path, leftMs())))

  let atFirst: ReadonlyMap<string, PeerCopy> | null = null
  for (;;) {
    const since = performance.now()
    const now = await lookAtPeers(daemon, peers, folders, path)
    atFirst ??= new Map(now.map((copy) => [copy.name, copy]))
    const { done, complete, lacking } = judgeCopies(
      needed,
      now.map((copy) => onlyOf(copy, atFirst?.get(copy.name))),
    )
    if (done) return { needed, complete, lacking, ms: Math.round(performance.now() - started) }
    if (leftMs() <= 1) {
      const seconds = Math.round(timeoutMs / 1000)
      throw new UnderstudyError(
        EXIT.retry,
        `not confirmed after ${seconds} s, ${complete.length} of ${needed} copies: ${lacking.join('; ')}`,
      )
    }
    await pause(Math.min(leftMs(), Math.max(LOOK_AGAIN_MS, performance.now() - since)))
  }
}

/**
 * The other machines, and how many of them have to have a copy. Nothing is changed.
 * @throws one sentence where it cannot come to that.
 */
export async function prepare(
  daemon: Syncthing,
  folders: readonly SharedFolder[],
  minCopies: MinCopies,
): Promise<{ peers: Device[]; needed: number }> {
  const peers = await daemon.peers()
  const needed = copiesNeeded(minCopies, peers.length)
  if (needed === null) {
    const others = peers.length === 1 ? 'is 1 other machine' : `are ${peers.length} other machines`
    throw usageError(`--min-copies ${minCopies} cannot be: there ${others}`)
  }
  for (const { id, label } of folders) {
    const { error } = await daemon.folderStatus(id)
    if (error !== '')
      throw new UnderstudyError(EXIT.unavailable, `the folder ${label} is stopped on this machine: ${error}`)
  }
  return { peers, needed }
}

/** Lets Syncthing see what is on the disk, and makes sure that it could. */
async function takeIn(
  daemon: Syncthing,
  { id, label }: SharedFolder,
  path: string | null,
  timeoutMs: number,
): Promise<void> {
  const started = performance.now()
  await daemon.scan(id, path, timeoutMs).catch((cause: unknown) => {
    if (performance.now() - started < timeoutMs) throw cause
    const why = `not confirmed: the folder ${label} could not be looked through in time`
    throw new UnderstudyError(EXIT.retry, why, { cause })
  })
  const [wrong] = (await daemon.errors(id)).filter((error) => isAsked(error.path, path))
  if (wrong) throw new UnderstudyError(EXIT.failed, `not confirmed: ${label}/${wrong.path}: ${wrong.error}`)
  if (path === null) return
  const file = await daemon.file(id, path)
  if (file === null || file.ignored || file.invalid)
    throw usageError(
      `${label}/${path} is not replicated: there is nothing of that name, or the folder ignores it`,
    )
}

const isAsked = (name: string, path: string | null): boolean =>
  path === null || isWithin(`/${name}`, `/${path}`)

async function lookAtPeers(
  daemon: Syncthing,
  peers: readonly Device[],
  folders: readonly SharedFolder[],
  path: string | null,
): Promise<PeerCopy[]> {
  const connected = await daemon.connected()
  return Promise.all(
    peers.map(async ({ deviceID, name }) => {
      const needs = folders.map(async ({ id, label }) =>
        (await daemon.needs(id, deviceID))
          .filter((file) => isAsked(file.name, path))
          .map((file) => ({ folder: label, name: file.name, size: file.deleted ? 0 : file.size })),
      )
      return { name, connected: connected.has(deviceID), lacks: (await Promise.all(needs)).flat() }
    }),
  )
}

/** What a machine lacks of what it lacked at first. */
function onlyOf(copy: PeerCopy, atFirst: PeerCopy | undefined): PeerCopy {
  const keyOf = ({ folder, name }: PeerCopy['lacks'][number]): string => `${folder}/${name}`
  const asked = new Set(atFirst?.lacks.map(keyOf))
  return { ...copy, lacks: copy.lacks.filter((file) => asked.has(keyOf(file))) }
}
