/** A lab that begins as a cluster in order: from a snapshot of one, which is made by joining, once for each package. */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { formCluster, packageFile, untilHealthy } from './cluster.ts'
import { withLock } from './host.ts'
import { ensureImage } from './image.ts'
import { Lab } from './lab.ts'
import { pruneSnapshots } from './snapshot.ts'
import { type Suite, snapshotsDir } from './state.ts'

export interface JoinedOptions {
  readonly name: string
  readonly suite?: Suite
  /** With wall clocks that can be moved. */
  readonly clocks?: boolean
  /** Options of the first machine's join. */
  readonly join?: readonly string[]
  readonly log?: (line: string) => void
}

const MACHINES = 3
/** Another process may just be making the same snapshot. */
const LOCK_MS = 600_000
/** Three machines boot at the same moment, and replicate again. */
const HEALTHY_MS = 120_000
/** The lab in which snapshots are made. */
const MAKER = 'snapshot'

const hash = (content: string | Buffer): string =>
  createHash('sha256').update(content).digest('hex').slice(0, 12)

/** Starts a new lab of three machines that are one cluster, in order. One of the same name is removed first. */
export async function upJoined(options: JoinedOptions): Promise<Lab> {
  const { name, suite = 'trixie', clocks = false, join: joinOptions = [], log = () => {} } = options
  await Lab.remove(name)
  const image = await ensureImage(suite, log)
  const deb = hash(readFileSync(packageFile()))
  const key = hash(JSON.stringify([deb, image, MACHINES, joinOptions]))
  const snapshot = join(snapshotsDir, `${suite}-${key}`)
  // Until the lab is recorded, nobody may take its snapshot for one that is not used.
  const lab = await withLock(`${snapshotsDir}.lock`, LOCK_MS, async () => {
    pruneSnapshots(deb)
    if (!existsSync(snapshot)) await make(snapshot, { suite, joinOptions, deb, log })
    return Lab.up({ name, machines: MACHINES, suite, clocks, snapshot, log })
  })
  await untilHealthy(lab, 'n1', HEALTHY_MS)
  return lab
}

interface Recipe {
  readonly suite: Suite
  readonly joinOptions: readonly string[]
  /** Hash of the package. */
  readonly deb: string
  readonly log: (line: string) => void
}

async function make(snapshot: string, { suite, joinOptions, deb, log }: Recipe): Promise<void> {
  const started = performance.now()
  log('making a snapshot of a new cluster (about two minutes, once for each package)')
  await Lab.remove(MAKER)
  try {
    const lab = await Lab.up({ name: MAKER, machines: MACHINES, suite, log })
    await formCluster(lab, joinOptions)
    await Promise.all(lab.machines.map((machine) => untilHealthy(lab, machine.name)))
    await shutDown(lab)
    await lab.keepDisks(snapshot, deb)
  } finally {
    await Lab.remove(MAKER)
  }
  log(`the snapshot is made (${((performance.now() - started) / 1000).toFixed(0)} s)`)
}

/** Shuts all machines down. Consul stops first: without it nobody is promoted because another one is off already. */
async function shutDown(lab: Lab): Promise<void> {
  const onAll = (work: (machine: string) => Promise<unknown>) =>
    Promise.all(lab.machines.map(({ name }) => work(name)))
  await onAll((machine) => lab.exec(machine, ['systemctl', 'stop', 'consul']))
  await onAll((machine) => lab.shutdown(machine))
}
