/**
 * A lab that begins as a cluster in order. The usual kind begins from a snapshot, which is made by joining, once for each
 * package and release.
 */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { formCluster, packageFile, untilHealthy } from './cluster.ts'
import { withLock } from './host.ts'
import { ensureImage } from './image.ts'
import { Lab } from './lab.ts'
import { pruneSnapshots } from './snapshot.ts'
import { type ConsulPackage, type Suite, snapshotsDir } from './state.ts'

export interface JoinedOptions {
  readonly name: string
  readonly suite?: Suite
  /** 3 unless told. */
  readonly machines?: number
  /** With wall clocks that can be moved. */
  readonly clocks?: boolean
  /** Whose package Consul is from: `debian` unless told. */
  readonly consul?: ConsulPackage
  /** Packages of Debian beside those of the image. */
  readonly packages?: readonly string[]
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

/** Starts a new lab whose machines are one cluster, in order. One of the same name is removed first. */
export async function upJoined(options: JoinedOptions): Promise<Lab> {
  const { name, suite = 'trixie', machines = MACHINES, clocks = false, join: joinOptions = [] } = options
  const { consul = 'debian', packages = [], log = () => {} } = options
  await Lab.remove(name)
  const begin = { name, machines, suite, clocks, consul, packages, log }
  const isUsual = machines === MACHINES && joinOptions.length === 0 && consul === 'debian'
  const lab = isUsual ? await fromSnapshot(begin) : await Lab.up(begin)
  // A cluster of another kind is wanted once: a snapshot of it would cost more than it saves.
  if (!isUsual) await formCluster(lab, joinOptions)
  try {
    await untilHealthy(lab, 'n1', HEALTHY_MS)
  } catch (error) {
    log(await bootLog(lab))
    throw error
  }
  return lab
}

/** What went wrong at the boot of n1, as far as its journal tells. */
async function bootLog(lab: Lab): Promise<string> {
  const journal =
    'journalctl --boot --no-pager --priority=warning | tail -n 30; journalctl --boot --no-pager --unit=polkit | tail'
  return (await lab.exec('n1', ['sh', '-c', journal], { reject: false })).stdout
}

type Begin = Required<Pick<JoinedOptions, 'name' | 'suite' | 'clocks' | 'consul' | 'packages' | 'log'>>

async function fromSnapshot(begin: Begin): Promise<Lab> {
  const { suite, log } = begin
  const image = await ensureImage(suite, log)
  const deb = hash(readFileSync(packageFile()))
  const snapshot = join(snapshotsDir, `${suite}-${hash(JSON.stringify([deb, image]))}`)
  // Until the lab is recorded, nobody may take its snapshot for one that is not used.
  return withLock(`${snapshotsDir}.lock`, LOCK_MS, async () => {
    pruneSnapshots(deb)
    if (!existsSync(snapshot)) await make(snapshot, { suite, deb, log })
    return Lab.up({ ...begin, machines: MACHINES, snapshot })
  })
}

interface Recipe {
  readonly suite: Suite
  /** Hash of the package. */
  readonly deb: string
  readonly log: (line: string) => void
}

async function make(snapshot: string, { suite, deb, log }: Recipe): Promise<void> {
  const started = performance.now()
  log('making a snapshot of a new cluster (about two minutes, once for each package)')
  await Lab.remove(MAKER)
  try {
    const lab = await Lab.up({ name: MAKER, machines: MACHINES, suite, log })
    await formCluster(lab)
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
