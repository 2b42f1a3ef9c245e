/** Disks of machines that were shut down, kept so that other labs begin with them. */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { dataDisks } from './data-disk.ts'
import { run, until } from './host.ts'
import { allLabs, type LabState, machineDir, readJson, snapshotsDir, writeJson } from './state.ts'

/** The kernel lets go of a machine's disks some time after its last process. */
const RELEASED_MS = 30_000
/** What a machine's disk consists of: its layer over the image, or a whole tree; and its file systems. */
const IMAGES = Object.values(dataDisks).map(({ image }) => image)
const PARTS = ['upper', 'tree', ...IMAGES]

/** What a snapshot was made with: without them it is of no use. */
interface Ingredients {
  readonly package: string
  readonly image: string
}

const recordPath = (directory: string): string => join(directory, 'snapshot.json')

/** Where a lab's snapshot has this machine; undefined where it does not, as for one that is added later. */
export function keptMachine({ snapshot }: LabState, machine: string): string | undefined {
  const kept = snapshot === undefined ? undefined : join(snapshot, machine)
  return kept !== undefined && existsSync(kept) ? kept : undefined
}

/** Moves the disk of a machine that is off into a directory. The machine has none after that. */
async function keepDisk(lab: string, machine: string, directory: string): Promise<void> {
  const own = machineDir(lab, machine)
  for (const image of IMAGES)
    await until(`the disk of ${machine} to be released`, RELEASED_MS, async () =>
      (await run(['losetup', '--noheadings', '--associated', join(own, image)])) === '' ? true : undefined,
    )
  mkdirSync(directory, { recursive: true })
  const parts = PARTS.map((part) => join(own, part)).filter(existsSync)
  await run(['mv', '--target-directory', directory, ...parts])
}

/** Makes a snapshot of a lab whose machines are all off, whole or not at all. The lab has no disks after that. */
export async function takeSnapshot(
  { name, machines }: LabState,
  directory: string,
  ingredients: Ingredients,
): Promise<void> {
  const unfinished = `${directory}.new`
  rmSync(unfinished, { recursive: true, force: true })
  for (const number of machines) await keepDisk(name, `n${number}`, join(unfinished, `n${number}`))
  writeJson(recordPath(unfinished), ingredients)
  renameSync(unfinished, directory)
}

/** Removes the snapshots of other packages, or over images that are gone, unless a lab is laid over them. */
export function pruneSnapshots(currentPackage: string): void {
  if (!existsSync(snapshotsDir)) return
  const used = new Set(allLabs().map(({ snapshot }) => snapshot))
  for (const entry of readdirSync(snapshotsDir)) {
    const directory = join(snapshotsDir, entry)
    const record = readJson<Ingredients>(recordPath(directory))
    const isCurrent = record?.package === currentPackage && existsSync(record.image)
    if (!isCurrent && !used.has(directory)) rmSync(directory, { recursive: true, force: true })
  }
}
