/** Where the lab keeps its files, and what it remembers about a lab. Everything else is read from the kernel. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

export const suites = ['trixie', 'bookworm'] as const
export type Suite = (typeof suites)[number]
/** Whose package Consul is from. */
export type ConsulPackage = 'debian' | 'hashicorp'

export interface LabState {
  readonly name: string
  readonly suite: Suite
  /** The image directory its disks are laid over. */
  readonly image: string
  /** Machine numbers: 1 is n1, 10.77.0.11. */
  readonly machines: readonly number[]
  /** Each machine's wall clock can be moved. */
  readonly clocks?: true
  /** Whose package Consul is from: Debian's where it says nothing. */
  readonly consul?: ConsulPackage
  /** Packages of Debian that its machines have beside those of the image. */
  readonly packages?: readonly string[]
  /** The snapshot directory whose machines its machines of the same name began as. */
  readonly snapshot?: string
}

/** Whose package a lab's Consul is from. */
export const consulOf = ({ consul }: LabState): ConsulPackage => consul ?? 'debian'

export const stateDir = resolve(process.env['UNDERSTUDY_LAB_DIR'] ?? '/var/lib/understudy-lab')
export const imagesDir = join(stateDir, 'images')
export const snapshotsDir = join(stateDir, 'snapshots')
const labsDir = join(stateDir, 'labs')

/** The directory of one lab. */
export const labDir = (lab: string): string => join(labsDir, lab)

/** The directory of one machine: its disk, its console log, its process identity. */
export const machineDir = (lab: string, machine: string): string => join(labDir(lab), machine)

/** The lock that every change of a lab's set of machines is made under. */
export const labLock = (lab: string): string => join(stateDir, 'locks', `${lab}.lock`)

/** Reads a JSON file of ours; undefined when it is not there. */
export function readJson<T>(path: string): T | undefined {
  if (!existsSync(path)) return undefined
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T
  } catch (error) {
    throw new Error(`cannot read ${path}; remove it and run "lab down"`, { cause: error })
  }
}

/** Writes a JSON file so that a reader sees the old or the new one, never half of it. */
export function writeJson(path: string, value: unknown): void {
  const temporary = `${path}.${process.pid}`
  writeFileSync(temporary, `${JSON.stringify(value)}\n`)
  renameSync(temporary, path)
}

/** What is recorded about a lab, if it exists. */
export const readLab = (lab: string): LabState | undefined =>
  readJson<LabState>(join(labDir(lab), 'lab.json'))

/** Records a lab. */
export function writeLab(state: LabState): void {
  mkdirSync(labDir(state.name), { recursive: true })
  writeJson(join(labDir(state.name), 'lab.json'), state)
}

/** Every recorded lab. */
export function allLabs(): LabState[] {
  if (!existsSync(labsDir)) return []
  return readdirSync(labsDir).flatMap((name) => readLab(name) ?? [])
}

/** The machines that have a directory, whether or not the lab's own record knows them. */
export function recordedMachines(lab: string): string[] {
  return existsSync(labDir(lab)) ? readdirSync(labDir(lab)).filter((entry) => /^n\d+$/.test(entry)) : []
}
