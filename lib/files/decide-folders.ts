import * as v from 'valibot'
import { byKey } from '../core/order.ts'
import { type Folder, type FoldersDocument, folder, type Ownership } from './manifest.ts'

/** What every cluster replicates from the start. */
export const DEFAULT_PATHS = ['/opt/manager/resources', '/opt/mgmtworker/env/plugins'] as const

/** Paths of the system or of a daemon of the cluster, or lost at a boot. They cannot be replicated, nor can what is above them. */
const SYSTEM_PATHS = [
  ...['/bin', '/boot', '/dev', '/etc', '/lib', '/lib32', '/lib64', '/libx32', '/lost+found', '/proc'],
  ...['/root', '/run', '/sbin', '/sys', '/tmp', '/usr', '/opt/consul'],
  ...['/var/backups', '/var/cache', '/var/lib/consul', '/var/lib/dpkg', '/var/lib/apt', '/var/lib/pgbouncer'],
  ...[
    '/var/lib/postgresql',
    '/var/lib/private',
    '/var/lib/elasticsearch',
    '/var/lib/opensearch',
    '/var/lib/rabbitmq',
    '/var/lib/systemd',
    '/var/lib/understudy',
    '/var/log',
    '/var/run',
  ],
  ...['/var/spool', '/var/tmp'],
]

const LABEL = /^[a-z0-9][a-z0-9._-]{0,39}$/

export interface Folders {
  /** By label, in the order of the labels. */
  valid: ReadonlyMap<string, Folder>
  /** Labels of the entries that are malformed. */
  malformed: readonly string[]
}

/** The folders of a document, each checked on its own. */
export function readFolders(document: FoldersDocument): Folders {
  const valid = new Map<string, Folder>()
  const malformed: string[] = []
  for (const [label, value] of Object.entries(document.folders).sort(byKey)) {
    const parsed = v.safeParse(folder, value)
    if (parsed.success && labelProblem(label) === null && parsed.output.ignore.every(isPattern))
      valid.set(label, parsed.output)
    else malformed.push(label)
  }
  // Two labels with one id: Syncthing has only one such folder, and either label may be wrong.
  const ids = [...valid.values()].map(({ id }) => id)
  for (const [label, { id }] of [...valid]) {
    if (ids.indexOf(id) === ids.lastIndexOf(id)) continue
    valid.delete(label)
    malformed.push(label)
  }
  return { valid, malformed }
}

const isPattern = (pattern: string): boolean => ignoreProblem(pattern) === null

/** The document of a new cluster, with the owners and modes of its directories. `unique` makes an id that was never used. */
export function defaultFolders(
  directories: readonly (readonly [path: string, directory: Ownership])[],
  unique: () => string,
): FoldersDocument {
  const entries = directories.map(([path, directory]) => {
    const label = labelFor(path)
    const settings = { ignore: [], versioning: false, mergeFiles: false }
    const added: Folder = { id: `${label}-${unique()}`, path, ...directory, ...settings }
    return [label, added] as const
  })
  return { schema: 1, folders: Object.fromEntries(entries) }
}

/** The label of a folder for which nobody chose one: the last part of its path. */
export const labelFor = (path: string): string =>
  (path.split('/').at(-1) ?? '')
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[._-]+/, '')
    .slice(0, 40)

/** Names that every object of JavaScript has: valibot drops them from a record. */
const RESERVED = ['constructor', 'prototype']

/** Why this is no label, or null. */
export function labelProblem(label: string): string | null {
  if (RESERVED.includes(label)) return `the label "${label}" is reserved`
  if (LABEL.test(label)) return null
  return `a label has up to 40 of a-z, 0-9, ".", "_" and "-" and starts with a letter or digit, not "${label}"`
}

/** Is `inner` the same path as `outer`, or below it? */
export const isWithin = (inner: string, outer: string): boolean =>
  inner === outer || inner.startsWith(outer === '/' ? '/' : `${outer}/`)

/** Why a path cannot be replicated on any machine, or null. */
export function pathProblem(path: string): string | null {
  if (!path.startsWith('/')) return `${path} is not an absolute path`
  if (
    path !== '/' &&
    path
      .split('/')
      .slice(1)
      .some((part) => ['', '.', '..'].includes(part))
  )
    return `${path} has an empty part, "." or ".."`
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  if (/[\u0000-\u001f\u007f-\u009f]/.test(path)) return `${JSON.stringify(path)} has a control character`
  const system = SYSTEM_PATHS.find((one) => isWithin(path, one) || isWithin(one, path))
  if (system === undefined && path.lastIndexOf('/') > 0) return null
  return `${path} is or contains a path of the system`
}

/** Why a path cannot be replicated beside these folders, or null. */
export function overlapProblem(
  path: string,
  others: Iterable<readonly [label: string, folder: { path: string }]>,
): string | null {
  for (const [label, other] of others) {
    if (path === other.path) return `${path} is already the folder ${label}`
    if (isWithin(path, other.path)) return `${path} is inside ${other.path}, which is the folder ${label}`
    if (isWithin(other.path, path)) return `${path} contains ${other.path}, which is the folder ${label}`
  }
  return null
}

/** Why this ignore pattern is not allowed, or null. */
export function ignoreProblem(pattern: string): string | null {
  // Syncthing removes blanks at its ends, so that we would set it again and again.
  if (pattern === '' || pattern !== pattern.trim() || /[\r\n]/.test(pattern))
    return 'an ignore pattern must be one line that is not empty, without blanks at its ends'
  // "#include" makes Syncthing read another file, which other machines may not have.
  return pattern.startsWith('#') ? `an ignore pattern cannot begin with "#", as "${pattern}" does` : null
}
