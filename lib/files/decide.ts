import { isDeepStrictEqual } from 'node:util'
import { byKey } from '../core/order.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'
import { difference, type Values, wantedDevice, wantedFolder, wantedOptions } from './config.ts'
import { type Folders, isWithin, overlapProblem, pathProblem } from './decide-folders.ts'
import { isStranger, type Markers, type MarkersSeen, markersToKnow } from './decide-markers.ts'
import { type FolderMounts, mountProblem, toRemember } from './decide-mounts.ts'
import type { Folder, SyncthingNode } from './manifest.ts'

/** What is at the path of a folder that this machine does not share yet. */
export type DirectoryFact =
  | { state: 'missing'; ownerExists: boolean }
  | { state: 'empty' }
  | { state: 'used'; entries: number; example: string }
  | { state: 'unusable'; why: string }

/** The configuration of the Syncthing of this machine. */
export interface SyncthingConfig {
  deviceId: string
  options: Values
  devices: readonly (Values & { deviceID: string; name: string })[]
  folders: readonly (Values & {
    id: string
    label: string
    path: string
    paused: boolean
    devices: readonly { deviceID: string }[]
  })[]
  /** Ignore patterns by the folder's id. A folder without its marker is left out: its directory may be another one. */
  ignores: Readonly<Record<string, readonly string[]>>
}

export interface SyncthingFacts {
  node: string
  address: string
  /** What every member has published. */
  members: { valid: ReadonlyMap<string, SyncthingNode>; malformed: readonly string[] } | Unknown
  /** null if there is no such document. */
  folders: Folders | null | Unknown
  syncthing: SyncthingConfig | Unknown
  /** By path, of the folders that are not shared here yet. */
  directories: ReadonlyMap<string, DirectoryFact>
  /** What is, or was, mounted inside the folders that are shared here, by their paths; and what we remember of it. */
  mounts: ReadonlyMap<string, FolderMounts>
  remembered: readonly string[]
  /** Paths of folders, shared here or to be shared, where Syncthing has another file system than the machine: see `isElsewhere`. */
  elsewhere: ReadonlySet<string>
  /** Of the folders that are shared here, and are not elsewhere. */
  markers: MarkersSeen
  /** A person allows to merge what this machine has at or below this path. */
  mergeFiles: string | null
}

export type Change =
  | { what: 'options'; values: Values }
  | { what: 'add-device' | 'change-device'; id: string; values: Values }
  | { what: 'remove-device' | 'remove-folder'; id: string }
  | { what: 'make-directory'; folder: Folder }
  | { what: 'add-folder'; values: Values; path: string; ignore: readonly string[] }
  | { what: 'change-folder'; id: string; values: Values }
  | { what: 'ignores'; id: string; ignore: readonly string[] }
  | { what: 'remember-mounts'; points: readonly string[] }
  | { what: 'remember-markers'; markers: Markers }
  /** What the folder's directory lacks was not deleted. */
  | { what: 'read-anew'; id: string; path: string; markers: Markers }
  | { what: 'restart' }

export interface SyncthingPlan {
  do: 'nothing' | 'configure'
  why: string
  /** In the order in which they are done. */
  changes: Change[]
  /** What a person has to correct, one sentence each; null: it was not possible to find out. Everything else goes on. */
  problems: string[] | null
}

/** Makes Syncthing's devices and folders those of the cluster. Only what differs is changed. */
export function decideSyncthing(facts: SyncthingFacts): SyncthingPlan {
  const { node, address, members, folders, syncthing } = facts
  const still = syncthing === UNKNOWN ? { changes: [], problems: [] } : standStill(facts, syncthing)
  const wait = (why: string, problems: string[] | null): SyncthingPlan => ({
    do: still.changes.length === 0 ? 'nothing' : 'configure',
    why: [...still.changes.map(nameOf), why].join(', '),
    changes: still.changes,
    problems,
  })
  if (members === UNKNOWN || folders === UNKNOWN) return wait('Consul does not answer', null)
  if (syncthing === UNKNOWN)
    return wait('Syncthing does not answer', [`Syncthing on ${node} does not answer`])
  const own = members.valid.get(node)
  // A list without this machine may be incomplete: no device or folder is removed because of it.
  if (own?.deviceId !== syncthing.deviceId) {
    const why = `Consul's key syncthing/nodes/${node} ${own ? "does not name this machine's Syncthing" : 'is missing'}`
    return wait(why, [`${why}; run understudy join again`, ...still.problems])
  }

  const devices = decideDevices(facts, members, syncthing)
  const shared = decideFolders(facts, folders, syncthing, devices.ids)
  const options = difference(wantedOptions(address), syncthing.options)
  const changes: Change[] = [
    ...still.changes.filter((change) => !isRestart(change)),
    ...(options ? [{ what: 'options' as const, values: options }] : []),
    ...devices.changes,
    ...shared.changes,
    ...devices.removals,
    // Last: then it answers nothing for a moment.
    ...(shared.unseen ? [{ what: 'restart' as const }] : still.changes.filter(isRestart)),
  ]
  const problems = [...devices.problems, ...shared.problems, ...still.problems]
  if (changes.length === 0)
    return wait(problems.length === 0 ? 'nothing differs' : problems.join('; '), problems)
  return { do: 'configure', why: changes.map(nameOf).join(', '), changes, problems }
}

const isRestart = ({ what }: Change): boolean => what === 'restart' || what === 'read-anew'

/**
 * Pauses the folders that must not be scanned as they are, and has Syncthing look again where a disk was mounted or unmounted at or
 * above a folder; whatever Consul says.
 */
function standStill(
  { mounts, remembered, elsewhere, markers }: SyncthingFacts,
  { folders }: SyncthingConfig,
) {
  const points = toRemember(mounts)
  const changes: Change[] =
    points.join('\n') === [...remembered].join('\n') ? [] : [{ what: 'remember-mounts', points }]
  const problems: string[] = []
  for (const { id, label, path, paused } of folders) {
    const problem = problemInside(label, path, mounts)
    if (problem === null) continue
    problems.push(problem)
    if (!paused) changes.push({ what: 'change-folder', id, values: { paused: true } })
  }
  const known = markersToKnow(
    folders.map(({ id }) => id),
    markers,
  )
  if (!isDeepStrictEqual(known, markers.known)) changes.push({ what: 'remember-markers', markers: known })
  const strangers = folders.filter(({ id }) => isStranger(id, markers))
  for (const { id, paused } of strangers)
    if (!paused) changes.push({ what: 'change-folder', id, values: { paused: true } })
  // Both start it again, so one at a time.
  const [stranger] = strangers
  if (folders.some(({ path }) => elsewhere.has(path))) changes.push({ what: 'restart' })
  else if (stranger) {
    const { id, path } = stranger
    const marker = markers.now[id] ?? ''
    changes.push({ what: 'read-anew', id, path, markers: { ...known, [id]: marker } })
  }
  return { changes, problems }
}

function problemInside(label: string, path: string, mounts: SyncthingFacts['mounts']): string | null {
  const inside = mounts.get(path)
  return inside ? mountProblem(label, inside) : null
}

/** Two machines with the same device cannot be distinguished: both are left as they are. */
function decideDevices(
  { node }: SyncthingFacts,
  { valid, malformed }: Exclude<SyncthingFacts['members'], Unknown>,
  syncthing: SyncthingConfig,
) {
  const claims = new Map<string, string[]>()
  for (const [name, { deviceId }] of [...valid].sort(byKey))
    claims.set(deviceId, [...(claims.get(deviceId) ?? []), name])
  const problems = malformed.map((name) => `Consul's key syncthing/nodes/${name} is malformed`)
  const changes: Change[] = []
  const ids = new Set([syncthing.deviceId])
  const wanted = new Map<string, Values>()
  for (const [id, names] of claims) {
    const [name = ''] = names
    if (names.length > 1)
      problems.push(`${names.join(' and ')} have published the same Syncthing device (${id.slice(0, 7)})`)
    const member = names.includes(node) ? node : names.length === 1 ? name : null
    if (member === null) continue
    wanted.set(id, wantedDevice(id, member, member === node ? null : (valid.get(member)?.address ?? '')))
    ids.add(id)
  }
  for (const [id, values] of wanted) {
    const has = syncthing.devices.find(({ deviceID }) => deviceID === id)
    if (!has) changes.push({ what: 'add-device', id, values })
    else {
      const differs = difference(values, has)
      if (differs) changes.push({ what: 'change-device', id, values: differs })
    }
  }
  // A machine that claims the device of another may still have its former one.
  const unclear = [...claims.values()].filter((names) => names.length > 1).flat()
  const removals: Change[] = []
  for (const { deviceID: id, name } of syncthing.devices) {
    if (wanted.has(id)) continue
    if (claims.has(id) || malformed.includes(name) || unclear.includes(name)) ids.add(id)
    else removals.push({ what: 'remove-device', id })
  }
  return { ids: [...ids], changes, removals, problems }
}

function decideFolders(
  facts: SyncthingFacts,
  folders: Folders | null,
  syncthing: SyncthingConfig,
  deviceIds: readonly string[],
) {
  const changes: Change[] = []
  const problems: string[] = []
  let unseen = false
  // Without the list nothing is shared, and nothing is removed either.
  if (folders === null)
    return {
      changes,
      unseen: false,
      problems: [
        "Consul's key syncthing/folders is missing or malformed; nothing is changed until it is restored",
      ],
    }
  const ids = new Set([...folders.valid.values()].map(({ id }) => id))
  const kept = syncthing.folders.filter(({ id, label }) => ids.has(id) || folders.malformed.includes(label))
  for (const has of syncthing.folders)
    if (!kept.includes(has)) changes.push({ what: 'remove-folder', id: has.id })
  problems.push(...folders.malformed.map((label) => `the folder ${label} in syncthing/folders is malformed`))
  for (const [label, folder] of folders.valid) {
    const wanted = wantedFolder(label, folder, deviceIds)
    const has = syncthing.folders.find(({ id }) => id === folder.id)
    if (has) {
      // At another path Syncthing would find nothing, and report everything as deleted.
      if (has.path !== folder.path) {
        problems.push(
          `the folder ${label} is at ${has.path} on this machine, but at ${folder.path} in syncthing/folders; correct that key`,
        )
        continue
      }
      // Whether the folder is paused is decided elsewhere; keep it as it is.
      const stands =
        problemInside(label, has.path, facts.mounts) !== null ||
        facts.elsewhere.has(has.path) ||
        isStranger(folder.id, facts.markers)
      const differs = difference(stands ? { ...wanted, paused: has.paused } : wanted, has)
      if (differs) changes.push({ what: 'change-folder', id: folder.id, values: differs })
      const ignores = syncthing.ignores[folder.id]
      if (ignores !== undefined && ignores.join('\n') !== folder.ignore.join('\n'))
        changes.push({ what: 'ignores', id: folder.id, ignore: folder.ignore })
      continue
    }
    const others = [
      ...[...folders.valid].filter(([other]) => other !== label),
      ...kept.map((other) => [other.label, other] as const),
    ]
    const why = whyNotHere(folder, facts, others)
    if (why !== null) {
      problems.push(`the folder ${label} is not shared on ${facts.node}: ${why}`)
      continue
    }
    if (facts.directories.get(folder.path)?.state === 'missing')
      changes.push({ what: 'make-directory', folder })
    // Syncthing would make its marker where it must not be.
    const elsewhere = facts.elsewhere.has(folder.path)
    unseen ||= elsewhere
    const values = elsewhere ? { ...wanted, paused: true } : wanted
    changes.push({ what: 'add-folder', values, path: folder.path, ignore: folder.ignore })
  }
  return { changes, problems, unseen }
}

/** Why a folder cannot be shared on this machine now, or null. */
function whyNotHere(
  folder: Folder,
  { directories, mergeFiles }: SyncthingFacts,
  others: Iterable<readonly [label: string, folder: { path: string }]>,
): string | null {
  const wrong = pathProblem(folder.path) ?? overlapProblem(folder.path, others)
  if (wrong !== null) return wrong
  const directory = directories.get(folder.path) ?? {
    state: 'unusable',
    why: `${folder.path} was not inspected`,
  }
  switch (directory.state) {
    case 'empty':
      return null
    case 'missing':
      if (directory.ownerExists) return null
      return `the user ${folder.owner} or the group ${folder.group} does not exist here`
    case 'unusable':
      return directory.why
    case 'used':
      if (folder.mergeFiles || (mergeFiles !== null && isWithin(folder.path, mergeFiles))) return null
      return `${usedText(folder.path, directory)}; move them away, or run understudy join again here with --merge-files`
  }
}

/** The words for a directory that has files of its own. */
export const usedText = (path: string, { entries, example }: { entries: number; example: string }): string =>
  `${path} holds files of this machine (${entries} ${entries === 1 ? 'entry' : 'entries'}, such as ${example})`

function nameOf(change: Change): string {
  switch (change.what) {
    case 'options':
      return `set ${Object.keys(change.values).join(' and ')}`
    case 'add-device':
      return `add the device of ${change.values['name']}`
    case 'change-device':
      return `change the device ${change.id.slice(0, 7)}`
    case 'remove-device':
      return `remove the device ${change.id.slice(0, 7)}`
    case 'make-directory':
      return `create ${change.folder.path}`
    case 'add-folder':
      return `share ${change.path}`
    case 'change-folder':
      return `change ${Object.keys(change.values).join(' and ')} of ${change.id}`
    case 'remove-folder':
      return `stop sharing ${change.id}`
    case 'remember-mounts':
      return `remember ${change.points.join(' and ') || 'no mount points'}`
    case 'remember-markers':
      return `remember the markers of ${Object.keys(change.markers).join(' and ') || 'no folder'}`
    case 'read-anew':
      return `read ${change.path} again from scratch, because it is not the directory that it was`
    case 'restart':
      return 'start Syncthing again, as what is mounted at or above a folder has changed'
    case 'ignores':
      return `set the ignore patterns of ${change.id}`
  }
}
