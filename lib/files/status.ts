import type { ConsulMachine, ConsulReadings, ConsulReport } from '../consul/decide-status.ts'
import type { Context } from '../consul/handler.ts'
import { type Reading, valueFrom, valueOrUnknown } from '../core/reading.ts'
import {
  type Cell,
  type Member,
  type Seen,
  type StatusSection,
  unknownCell,
  type ValueOrGap,
} from '../core/status.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'
import { localSyncthing, replicatesFiles } from './client.ts'
import { type Copy, copyText, type FilesSeen, lackText } from './decide-copy.ts'
import { observeFiles } from './observe.ts'
import { type FilesReport, readReport } from './report.ts'

/** The replicated files as this machine's Syncthing sees them, null where it has none; and what its handler last found. */
export interface FilesHere {
  files: Reading<FilesSeen | null>
  filesReport: Reading<FilesReport | null>
}

type Asked = Seen<ConsulReadings, FilesHere>

interface FolderReport {
  label: string
  path: string
  /** Files that were changed on two machines at the same time; both versions were kept. null: not counted yet. */
  conflicts: number | null
}

export interface FilesFields {
  /** The replicated folders; null where files are not replicated on the machine that looked. */
  folders: FolderReport[] | null | Unknown
}

export interface MachineFiles {
  /** Is its Syncthing connected with that of the machine that looked? */
  connected: boolean
  folders: (Copy & { label: string })[]
}

export interface FilesMachine {
  /**
   * What it has of the replicated folders, as the Syncthing of the machine that looked sees it; null where that does not know
   * the machine.
   */
  files: MachineFiles | null | Unknown
}

interface FilesStatusReport extends ConsulReport, FilesFields {
  machines: (ConsulMachine & FilesMachine)[]
}

/** Syncthing's section of the status: what every machine has of the replicated folders. */
export const section: StatusSection<Context, Asked, FilesStatusReport> = {
  askHere: (_context, timeoutMs) =>
    ({ files: askFiles(timeoutMs), filesReport: Promise.resolve(readReport()) }) satisfies Record<
      keyof FilesHere,
      unknown
    >,

  fields({ settings, here }, valueOrGap): FilesFields {
    const files = valueOrGap(settings.node, 'files', here.files)
    if (files === UNKNOWN || files === null) return { folders: files }
    return { folders: foldersOf(files, valueFrom(here.filesReport) ?? null) }
  },
  machineFields({ name }: Member, { settings, here }, _valueOrGap: ValueOrGap): FilesMachine {
    const files = valueOrUnknown(here.files)
    if (files === UNKNOWN || files === null) return { files }
    return { files: name === settings.node ? copiesHere(files) : copiesOf(name, files) }
  },

  columns: { headings: ['FILES'], cells: ({ files }) => [cellOf(files)] },

  // Being behind is no deviation; what is wrong with a folder or a connection, the check of the machine says.
  machineProblems: ({ name, files }, { folders }) =>
    folders === null || folders === UNKNOWN || files !== null
      ? []
      : [`${name} does not replicate files yet; run understudy join again there`],
  notes: ({ machines }) => machines.flatMap(lackNotes),
}

/** null where files are not replicated. */
async function askFiles(timeoutMs: number): Promise<FilesSeen | null> {
  return replicatesFiles() ? observeFiles(localSyncthing(timeoutMs)) : null
}

const foldersOf = ({ folders }: FilesSeen, report: FilesReport | null): FolderReport[] =>
  folders
    .map(({ label, path }) => ({ label, path, conflicts: report?.folders[label]?.conflicts ?? null }))
    .sort(byLabel)

const copiesHere = ({ folders }: FilesSeen): MachineFiles => ({
  connected: true,
  folders: folders.map(({ label, here }) => ({ label, ...here })).sort(byLabel),
})

function copiesOf(name: string, { folders, connected: connections }: FilesSeen): MachineFiles | null {
  const connected = connections.get(name)
  if (connected === undefined) return null
  const copies = folders.flatMap(({ label, others }) => {
    const copy = others.get(name)
    return copy ? [{ label, ...copy }] : []
  })
  return { connected, folders: copies.sort(byLabel) }
}

const byLabel = (a: { label: string }, b: { label: string }): number => a.label.localeCompare(b.label, 'en')

function lackNotes({ name, files }: FilesStatusReport['machines'][number]): string[] {
  if (files === UNKNOWN || files === null) return []
  return files.folders
    .filter((copy) => copy.files > 0)
    .map((copy) => `${name} lacks ${lackText(copy)} of the folder ${copy.label}`)
}

/** The worst first: that is shown. */
const COPY_STATES = ['stopped', 'failing', 'disconnected', 'not-shared', 'behind', 'in-sync'] as const

function cellOf(files: FilesMachine['files']): Cell {
  if (files === UNKNOWN) return unknownCell
  if (files === null) return { text: '-' }
  const state = COPY_STATES.find((candidate) => files.folders.some((copy) => copy.state === candidate))
  if (state === undefined) return { text: 'no folder' }
  const lacking = files.folders.reduce(
    (sum, copy) => ({ files: sum.files + copy.files, bytes: sum.bytes + copy.bytes }),
    { files: 0, bytes: 0 },
  )
  const text = copyText({ state, ...lacking })
  return ['in-sync', 'behind'].includes(state) ? { text } : { text, tone: 'bad' }
}
