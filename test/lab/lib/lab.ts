/** A lab: real Debian machines on one switch, each with its own disk, power switch and cable. */
import { createReadStream, rmSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { execa } from 'execa'
import { addBlock, type Block, removeBlocks } from './block.ts'
import { removeCgroup } from './boot.ts'
import { clockEnvironment, setClock } from './clock.ts'
import { type DataDiskName, fillDataDisk, freeDataDisk, hangDataDisk, resumeDataDisk } from './data-disk.ts'
import {
  type Door,
  type ExecOptions,
  type ExecResult,
  enter,
  enterAsClient,
  runAsClient,
  runInside,
} from './exec.ts'
import { hashicorpConsul, REPLACE_CONSUL } from './hashicorp-consul.ts'
import { withLock } from './host.ts'
import { ensureImage } from './image.ts'
import { destroy, doorOf, powerCut, powerOn, setFrozen, untilBooted, untilOff } from './machine.ts'
import { addressOf, ensureSwitch, removeNetwork, setLink, switchNamespace } from './network.ts'
import { packagesWithDependencies } from './packages.ts'
import { takeSnapshot } from './snapshot.ts'
import {
  allLabs,
  type ConsulPackage,
  consulOf,
  imagesDir,
  type LabState,
  labDir,
  labLock,
  readLab,
  recordedMachines,
  type Suite,
  writeLab,
} from './state.ts'

export interface Machine {
  readonly name: string
  readonly address: string
}

export interface UpOptions {
  readonly name?: string
  readonly machines?: number
  readonly suite?: Suite
  /** With wall clocks that can be moved. */
  readonly clocks?: boolean
  /** Whose package Consul is from: `debian` unless told. */
  readonly consul?: ConsulPackage
  /** Packages of Debian that every machine gets beside those of the image, and that do not start by themselves. */
  readonly packages?: readonly string[]
  /** A directory that {@link Lab.keepDisks} has made: the machines that it holds begin as they were there. */
  readonly snapshot?: string
  readonly log?: (line: string) => void
}

type Log = (line: string) => void
const silent: Log = () => {}
const maxMachines = 7
/** The package file inside a machine. */
const CONSUL_DEB = '/var/tmp/consul.deb'
const lockTimeoutMs = 300_000
/** Where the files of the lab's own packages are inside a machine. */
const PACKAGES = '/var/tmp/packages'
/** Installs the packages of a directory ($1) as the image's are: what Debian enables is disabled, and starts nothing. */
const ADD_PACKAGES = `printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends -o Dpkg::Options::=--force-unsafe-io "$1"/*.deb
find /etc/systemd/system -type l -newer /usr/sbin/policy-rc.d -printf '%f\n' | sort -u | xargs -r systemctl disable
rm -r /usr/sbin/policy-rc.d "$1"
`

function checkName(name: string): void {
  // "a-n1" would be taken for machine n1 of lab "a".
  if (/^[a-z][a-z0-9-]{0,20}$/.test(name) && !/-n\d+$/.test(name)) return
  throw new Error(
    `"${name}" is no name for a lab: take up to 21 of a-z, 0-9 and -, not ending in -n and a number`,
  )
}

export class Lab {
  readonly name: string
  /** The network namespace that clients of the machines run in. */
  readonly clientNamespace: string
  #state: LabState
  readonly #log: Log

  private constructor(state: LabState, log: Log) {
    this.name = state.name
    this.clientNamespace = switchNamespace(state.name)
    this.#state = state
    this.#log = log
  }

  /** Starts a lab, or whatever of it is missing: also after a crash of the host or of a former `up`. */
  static async up(options: UpOptions = {}): Promise<Lab> {
    const { name = 'default', machines = 3, suite, consul, clocks = false, snapshot, log = silent } = options
    const { packages = [] } = options
    checkName(name)
    if (!Number.isInteger(machines) || machines < 1 || machines > maxMachines) {
      throw new Error(`a lab has 1 to ${maxMachines} machines, not ${machines}`)
    }
    return withLock(labLock(name), lockTimeoutMs, async () => {
      const known = readLab(name)
      if (known !== undefined && suite !== undefined && suite !== known.suite) {
        throw new Error(`lab ${name} is up with ${known.suite}; take it down first, or name another lab`)
      }
      if (known !== undefined && clocks && !known.clocks) {
        throw new Error(`lab ${name} is up with clocks that cannot be moved; take it down first`)
      }
      if (known !== undefined && consul !== undefined && consul !== consulOf(known)) {
        throw new Error(`lab ${name} is up with the Consul of ${consulOf(known)}; take it down first`)
      }
      const wanted = Array.from({ length: machines }, (_, index) => index + 1)
      const numbers = [...new Set([...(known?.machines ?? []), ...wanted])].sort((a, b) => a - b)
      const base = known ?? {
        name,
        suite: suite ?? 'trixie',
        image: await ensureImage(suite ?? 'trixie', log),
        ...(clocks ? { clocks: true as const } : {}),
        ...(consul === undefined ? {} : { consul }),
        ...(snapshot === undefined ? {} : { snapshot }),
        ...(packages.length === 0 ? {} : { packages }),
      }
      const state = { ...base, machines: numbers }
      writeLab(state)
      await ensureSwitch(name)
      const lab = new Lab(state, log)
      await lab.#start(numbers)
      return lab
    })
  }

  /** An existing lab. */
  static async open(name = 'default'): Promise<Lab> {
    checkName(name)
    const state = readLab(name)
    if (state === undefined)
      throw new Error(`there is no lab ${name}; start it with: npm run lab -- up --lab ${name}`)
    return new Lab(state, silent)
  }

  /** The names of all labs. */
  static list(): string[] {
    return allLabs().map((lab) => lab.name)
  }

  get machines(): readonly Machine[] {
    return this.#state.machines.map((number) => ({ name: `n${number}`, address: addressOf(number) }))
  }

  /** Each machine's wall clock can be moved. */
  get clocks(): boolean {
    return this.#state.clocks === true
  }

  get suite(): Suite {
    return this.#state.suite
  }

  async #start(numbers: readonly number[]): Promise<void> {
    await Promise.all(
      numbers.map(async (number) => {
        await powerOn(this.#state, number)
        await untilBooted(this.name, `n${number}`, this.#log)
        if (consulOf(this.#state) === 'hashicorp') await this.#replaceConsul(`n${number}`)
        if (this.#state.packages) await this.#addPackages(`n${number}`, this.#state.packages)
      }),
    )
  }

  /** Gives a new machine HashiCorp's package of Consul. */
  async #replaceConsul(machine: string): Promise<void> {
    const marks = await this.exec(machine, ['test', '-e', '/etc/consul.d/consul.hcl'], { reject: false })
    if (marks.exitCode === 0) return
    await this.copyIn(machine, await this.consulPackage(), CONSUL_DEB)
    await this.exec(machine, ['sh', '-c', REPLACE_CONSUL, 'replace', CONSUL_DEB])
  }

  /** Gives a new machine the packages of this lab. */
  async #addPackages(machine: string, names: readonly string[]): Promise<void> {
    const there = await this.exec(machine, ['dpkg', '--status', ...names], { reject: false })
    if (there.exitCode === 0) return
    const { suite, image } = this.#state
    for (const deb of await packagesWithDependencies(suite, names, image))
      await this.copyIn(machine, deb, `${PACKAGES}/${basename(deb)}`)
    await this.exec(machine, ['sh', '-euc', ADD_PACKAGES, 'add', PACKAGES], { timeoutMs: 300_000 })
  }

  /** The file of HashiCorp's package of Consul, in a revision that is higher for an upgrade. */
  consulPackage(revision = 1): Promise<string> {
    return withLock(join(imagesDir, 'consul.lock'), lockTimeoutMs, () =>
      hashicorpConsul(this.#state.image, revision),
    )
  }

  #number(machine: string): number {
    const number = this.#state.machines.find((candidate) => `n${candidate}` === machine)
    if (number !== undefined) return number
    const names = this.machines.map((known) => known.name).join(', ')
    throw new Error(`lab ${this.name} has no machine "${machine}"; it has ${names}`)
  }

  /** Runs a command in a machine. Rejects when it fails, unless `reject: false`. */
  async exec(machine: string, argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    return runInside(this.#door(machine), argv, { ...options, env: { ...this.#clock(), ...options.env } })
  }

  /** The command line that runs `argv` in a machine: for a caller that wants the streams itself. */
  execCommand(machine: string, argv: readonly string[], env: Record<string, string> = {}): string[] {
    return enter(this.#door(machine), argv, { ...this.#clock(), ...env })
  }

  /** What lets a command see its machine's clock, as everything does that runs there. */
  #clock(): Readonly<Record<string, string>> {
    return this.#state.clocks ? clockEnvironment : {}
  }

  #door(machine: string): Door {
    this.#number(machine)
    return doorOf(this.name, machine)
  }

  /** Runs a program of the host on the lab's network, with the address 10.77.0.254. */
  async clientExec(argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    return runAsClient(this.name, argv, options)
  }

  /** The command line that runs `argv` on the lab's network. */
  clientCommand(argv: readonly string[]): string[] {
    return enterAsClient(this.name, argv)
  }

  /** A power cut. Gives the time of the kill (epoch milliseconds). */
  async poweroff(machine: string): Promise<{ killedAt: number }> {
    this.#number(machine)
    return { killedAt: await powerCut(this.name, machine) }
  }

  /** Boots a machine from its disk and waits for it; one that is on stays as it is. */
  async poweron(machine: string): Promise<void> {
    await this.#start([this.#number(machine)])
  }

  /** A clean power-off, as by an operator. */
  async shutdown(machine: string): Promise<void> {
    await this.exec(machine, ['systemctl', 'poweroff'])
    await untilOff(this.name, machine, 120_000)
    await this.cut(machine)
  }

  /** Pulls the network cable. */
  async cut(machine: string): Promise<void> {
    this.#number(machine)
    await setLink(this.name, machine, 'down')
  }

  /** Puts the network cable back. */
  async heal(machine: string): Promise<void> {
    this.#number(machine)
    await setLink(this.name, machine, 'up')
  }

  /** Throws away what two machines send each other, at the switch, until {@link unblock}: also over a power cut. */
  async block(block: Block): Promise<void> {
    for (const machine of block.between) this.#number(machine)
    await addBlock(this.name, block)
  }

  /** Ends all blocks. */
  async unblock(): Promise<void> {
    await removeBlocks(this.name)
  }

  /** Fills the file system of a machine's databases, or of its Consul, to the last block. */
  async fillDisk(machine: string, disk: DataDiskName = 'databases'): Promise<void> {
    await fillDataDisk(this.#door(machine), disk, consulOf(this.#state))
  }

  /** Gives back what {@link fillDisk} took. */
  async freeDisk(machine: string, disk: DataDiskName = 'databases'): Promise<void> {
    await freeDataDisk(this.#door(machine), disk, consulOf(this.#state))
  }

  /** Lets whatever is written to that file system wait until {@link resumeDisk}. Nothing that waits there can be killed: the power stays on. */
  async hangDisk(machine: string, disk: DataDiskName = 'databases'): Promise<void> {
    await hangDataDisk(this.#door(machine), disk, consulOf(this.#state))
  }

  /** Ends {@link hangDisk}; a disk that does not hang stays as it is. */
  async resumeDisk(machine: string, disk: DataDiskName = 'databases'): Promise<void> {
    await resumeDataDisk(this.#door(machine).pid, disk)
  }

  /** Sets how many seconds a machine's wall clock is ahead: 0 is right again. Only in a lab with `clocks`. */
  async moveClock(machine: string, seconds: number): Promise<void> {
    if (!this.clocks) {
      throw new Error(`the clocks of lab ${this.name} cannot be moved; start it with clocks`)
    }
    await setClock(this.#door(machine), seconds)
  }

  /** Holds every process of a machine still; its kernel goes on answering at the TCP level. */
  async freeze(machine: string): Promise<void> {
    this.#number(machine)
    await setFrozen(this.name, machine, true)
  }

  /** Lets a frozen machine go on. */
  async thaw(machine: string): Promise<void> {
    this.#number(machine)
    await setFrozen(this.name, machine, false)
  }

  /** Copies a file of the host into a machine, with its permissions, owned by root. */
  async copyIn(machine: string, from: string, to: string): Promise<void> {
    const mode = (statSync(from).mode & 0o7777).toString(8)
    const script = 'mkdir -p "$(dirname "$1")" && cat >"$1" && chmod "$2" "$1"'
    const [file = '', ...argv] = this.execCommand(machine, ['sh', '-c', script, 'copy', to, mode])
    const result = await execa(file, argv, { input: createReadStream(from), reject: false, timeout: 120_000 })
    if (result.failed) throw new Error(`cannot copy ${from} to ${machine}:${to}: ${result.stderr}`)
  }

  /** Installs a Debian package file in every machine. */
  async installPackage(deb: string): Promise<void> {
    const target = `/var/tmp/${basename(deb)}`
    await Promise.all(
      this.machines.map(async ({ name }) => {
        await this.copyIn(name, deb, target)
        await this.exec(name, ['dpkg', '--install', target], { env: { DEBIAN_FRONTEND: 'noninteractive' } })
      }),
    )
  }

  /** One more machine, with a fresh disk. */
  async add(): Promise<Machine> {
    return withLock(labLock(this.name), lockTimeoutMs, async () => {
      const number = Math.max(0, ...this.#state.machines) + 1
      if (number > maxMachines) throw new Error(`lab ${this.name} has all of its ${maxMachines} machines`)
      this.#state = { ...this.#state, machines: [...this.#state.machines, number] }
      writeLab(this.#state)
      await this.#start([number])
      return { name: `n${number}`, address: addressOf(number) }
    })
  }

  /** Makes a snapshot of the disks; all machines must be off. The lab has none after that and can only be taken down. */
  async keepDisks(directory: string, packageHash: string): Promise<void> {
    await takeSnapshot(this.#state, directory, { package: packageHash, image: this.#state.image })
  }

  /** Ends the lab and removes its disks; the image stays. */
  async down(): Promise<void> {
    await Lab.remove(this.name)
  }

  /** The same by name: also for what a crash left, and for a lab that is not there. */
  static async remove(name: string): Promise<void> {
    checkName(name)
    await withLock(labLock(name), lockTimeoutMs, async () => {
      await Promise.all(recordedMachines(name).map((machine) => destroy(name, machine)))
      await removeNetwork(name)
      await removeCgroup(`understudy-lab/${name}`)
      rmSync(labDir(name), { recursive: true, force: true })
    })
  }
}
