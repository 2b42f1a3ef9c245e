import { setTimeout as pause } from 'node:timers/promises'
import { EXIT, UnderstudyError, usageError } from '../core/errors.ts'
import { printable } from '../core/text.ts'
import type { SharedFolder, SyncthingDevice } from './api.ts'
import type { Syncthing } from './client.ts'
import { type Contents, needsOf, readContents } from './contents.ts'
import { copiesNeeded, judgeCopies, type MachineNeeds, type MinCopies } from './decide-confirmation.ts'
import { isWithin } from './decide-folders.ts'
import { isElsewhere, type Mount, mountedInside, mountProblem } from './decide-mounts.ts'
import { readMounts } from './mounts.ts'
import { readView } from './view.ts'

export interface WaitOptions {
  /** In these folders. */
  folders: readonly SharedFolder[]
  /** Only what is at or below this path in each of them; null: everything. */
  path: string | null
  minCopies: MinCopies
  timeoutMs: number
}

export interface Waited {
  /** How many other machines had to have everything. */
  needed: number
  /** Names of the machines that have it. */
  complete: string[]
  /** One sentence for each of the others. */
  lacking: string[]
  ms: number
}

/** From one look to the next: so short that a small file is confirmed at once. Longer if a look takes longer. */
const LOOK_AGAIN_MS = 100

/**
 * Waits until enough other machines are connected and have everything that is there now. What a machine lacks at the last look
 * decides, whatever it had before. Files that are made after the call do not count; one that changes after it must arrive as
 * it is then.
 * @throws `retry` at the deadline, naming what each machine lacks; `usage` if there are not so many machines; `unavailable` if
 * a folder is stopped here; `failed` if something cannot be read here.
 */
export async function waitForCopies(daemon: Syncthing, options: WaitOptions): Promise<Waited> {
  const { folders, path, minCopies, timeoutMs } = options
  const started = performance.now()
  const leftMs = (): number => Math.max(1, Math.ceil(started + timeoutMs - performance.now()))
  const { others, needed } = await prepare(daemon, folders, minCopies)
  // Syncthing's watcher may not have noticed the last changes yet.
  await Promise.all(folders.map((folder) => scan(daemon, folder, path, leftMs())))

  let contents: Contents | null = null
  for (;;) {
    const since = performance.now()
    const now = await lookAtOthers(daemon, others, folders, path)
    // Whatever is lacking at the first look was there at the call.
    const counted = contents ? await withoutLater(daemon, contents, now) : now
    const { done, complete, lacking } = judgeCopies(needed, counted)
    if (done) return { needed, complete, lacking, ms: Math.round(performance.now() - started) }
    if (leftMs() <= 1) {
      const seconds = Math.round(timeoutMs / 1000)
      throw new UnderstudyError(
        EXIT.retry,
        `not confirmed after ${seconds} s, ${complete.length} of ${needed} copies: ${lacking.join('; ')}`,
      )
    }
    const lookMs = performance.now() - since
    const lacks = now.flatMap((copy) => copy.lacks)
    contents ??= await readContents(daemon, folders, path, lacks, leftMs())
    await pause(Math.min(leftMs(), Math.max(LOOK_AGAIN_MS, lookMs)))
  }
}

/**
 * The other machines, and how many of them must have everything. Changes nothing.
 * @throws where a wait for them could not succeed.
 */
export async function prepare(
  daemon: Syncthing,
  folders: readonly SharedFolder[],
  minCopies: MinCopies,
): Promise<{ others: SyncthingDevice[]; needed: number }> {
  const others = await daemon.otherDevices()
  const needed = copiesNeeded(minCopies, others.length)
  if (needed === null) {
    const there = others.length === 1 ? 'is 1 other machine' : `are ${others.length} other machines`
    throw usageError(`--min-copies ${minCopies} is too many: there ${there}`)
  }
  const [mounts, view] = [readMounts(), readView()]
  const points = mounts.map(({ point }) => point)
  for (const { id, label, path, paused } of folders) {
    // What is mounted there is no part of the folder.
    const inside = mountProblem(label, { mounted: mountedInside(path, points), missing: [] })
    const why = inside ?? elsewhereProblem(label, path, mounts, view) ?? pausedProblem(label, paused)
    if (why !== null) throw new UnderstudyError(EXIT.unavailable, why)
    const { error } = await daemon.folderStatus(id)
    if (error !== '')
      throw new UnderstudyError(EXIT.unavailable, `the folder ${label} is stopped on this machine: ${error}`)
  }
  return { others, needed }
}

const elsewhereProblem = (
  label: string,
  path: string,
  mounts: readonly Mount[],
  view: readonly Mount[] | null,
): string | null =>
  view !== null && isElsewhere(path, mounts, view)
    ? `the folder ${label} is stopped: what is mounted at or above ${printable(path)} has changed, and Syncthing is being restarted; try again in half a minute`
    : null

const pausedProblem = (label: string, paused: boolean): string | null =>
  paused ? `the folder ${label} is paused on this machine; understudy status says why` : null

/** Has Syncthing scan what is on the disk, and makes sure that it could read it. */
async function scan(
  daemon: Syncthing,
  { id, label }: SharedFolder,
  path: string | null,
  timeoutMs: number,
): Promise<void> {
  const started = performance.now()
  await daemon.scan(id, path, timeoutMs).catch((cause: unknown) => {
    if (performance.now() - started < timeoutMs) throw cause
    const why = `not confirmed: Syncthing did not finish scanning the folder ${label} in time`
    throw new UnderstudyError(EXIT.retry, why, { cause })
  })
  const [wrong] = (await daemon.errors(id)).filter((error) => isAsked(error.path, path))
  if (wrong)
    throw new UnderstudyError(EXIT.failed, printable(`not confirmed: ${label}/${wrong.path}: ${wrong.error}`))
  if (path === null) return
  const file = await daemon.file(id, path)
  if (file === null || file.ignored || file.invalid)
    throw usageError(`${label}/${path} is not replicated: it does not exist, or an ignore pattern matches it`)
}

const isAsked = (name: string, path: string | null): boolean =>
  path === null || isWithin(`/${name}`, `/${path}`)

async function lookAtOthers(
  daemon: Syncthing,
  others: readonly SyncthingDevice[],
  folders: readonly SharedFolder[],
  path: string | null,
): Promise<MachineNeeds[]> {
  const connected = await daemon.connected()
  return Promise.all(
    others.map(async ({ deviceID, name }) => {
      const needs = folders.map(async ({ id, label }) =>
        (await daemon.needs(id, deviceID))
          .filter((file) => isAsked(file.name, path))
          .map(({ name: file, size, deleted }) => ({
            ...{ folderId: id, folder: label, name: file, size: deleted ? 0 : size, deleted },
          })),
      )
      return { name, connected: connected.has(deviceID), lacks: (await Promise.all(needs)).flat() }
    }),
  )
}

/** Leaves out files that were made after the call. */
const withoutLater = (
  daemon: Syncthing,
  contents: Contents,
  machines: readonly MachineNeeds[],
): Promise<MachineNeeds[]> =>
  Promise.all(
    machines.map(async (machine) => ({
      ...machine,
      lacks: await needsOf(daemon, contents, machine.lacks),
    })),
  )
