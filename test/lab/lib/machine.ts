/** One machine's power switch and state. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { boot, cgroupOf, ensureDisk } from './boot.ts'
import { dataDiskNames, resumeDataDisk } from './data-disk.ts'
import { type Door, runInside } from './exec.ts'
import { childrenOf, identify, isRunning, killHard, type ProcessIdentity, until } from './host.ts'
import { linkIsUp, plugIn, setLink } from './network.ts'
import { type LabState, machineDir, readJson, writeJson } from './state.ts'

/** What runs a machine: nspawn on the host, and the machine's own init. */
interface Processes {
  readonly nspawn: ProcessIdentity
  readonly init?: ProcessIdentity
  /** Set at a power cut: the machine counts as off at once, however long its processes take to be gone. */
  readonly killed?: true
}

const recordPath = (lab: string, machine: string): string => join(machineDir(lab, machine), 'process.json')

/** The process that is number 1 inside: a child of nspawn whose innermost process id is 1. */
function findInit(nspawn: number): ProcessIdentity | undefined {
  for (const pid of childrenOf(nspawn)) {
    try {
      if (/^NSpid:.*\t1$/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))) return identify(pid)
    } catch {
      // It ended while we looked: not the one.
    }
  }
  return undefined
}

/** The processes of a machine that is on; undefined when it is off. */
export function processesOf(lab: string, machine: string): Processes | undefined {
  const record = readJson<Processes>(recordPath(lab, machine))
  if (record === undefined || record.killed || !isRunning(record.nspawn)) return undefined
  if (isRunning(record.init)) return record
  const init = findInit(record.nspawn.pid) // not looked up yet, or the machine rebooted
  if (init === undefined) return { nspawn: record.nspawn }
  const found = { nspawn: record.nspawn, init }
  writeJson(recordPath(lab, machine), found)
  return found
}

/** The machine's part of the cgroup tree, as its nspawn sees it: the host may have none mounted. */
function payload(lab: string, machine: string, nspawn: ProcessIdentity): string {
  return `/proc/${nspawn.pid}/root/sys/fs/cgroup/${cgroupOf(lab, machine)}/payload`
}

/** What it takes to run a command inside; an error says why none can be run. */
export function doorOf(lab: string, machine: string): Door {
  const processes = processesOf(lab, machine)
  if (processes?.init === undefined) throw new Error(`${machine} of lab ${lab} is not powered on`)
  if (isFrozen(lab, machine)) throw new Error(`${machine} of lab ${lab} is frozen; thaw it first`)
  return {
    name: `${machine} of lab ${lab}`,
    pid: processes.init.pid,
    cgroup: `${payload(lab, machine, processes.nspawn)}/init.scope`,
  }
}

/** Makes the disk if there is none, plugs the cable in and boots. Returns once the machine runs its init. */
export async function powerOn(lab: LabState, number: number): Promise<void> {
  const machine = `n${number}`
  const on = processesOf(lab.name, machine) !== undefined
  if (on && (await linkIsUp(lab.name, machine)) !== undefined) return
  // The old life has to be over before the disk is mounted again. One that lost its cable's namespace is ended.
  await destroy(lab.name, machine)
  await ensureDisk(lab, number)
  await plugIn(lab.name, machine, number)
  const nspawn = boot(lab, machine)
  writeJson(recordPath(lab.name, machine), { nspawn })
  await until(`${machine} to start its init`, 30_000, () => {
    if (!isRunning(nspawn)) throw new Error(`${machine} did not start:\n${consoleTail(lab.name, machine)}`)
    return processesOf(lab.name, machine)?.init
  })
}

/** Waits for systemd inside to be done, and complains about units that failed. */
export async function untilBooted(lab: string, machine: string, log: (line: string) => void): Promise<void> {
  const state = await until(`${machine} to finish booting`, 60_000, async () => {
    const processes = processesOf(lab, machine)
    if (processes === undefined) throw new Error(`${machine} of lab ${lab} went off`)
    if (processes.init === undefined) return undefined // starting, or just about to end
    const argv = ['systemctl', 'is-system-running', '--wait']
    const { stdout } = await runInside(doorOf(lab, machine), argv, { reject: false })
    return stdout === 'running' || stdout === 'degraded' ? stdout : undefined
  }).catch((error: unknown) => {
    throw new Error(`${machine} does not boot:\n${consoleTail(lab, machine)}`, { cause: error })
  })
  if (state === 'running') return
  const list = ['systemctl', 'list-units', '--failed', '--plain', '--no-legend']
  log(`${machine} runs, but not all of it: ${(await runInside(doorOf(lab, machine), list)).stdout}`)
}

function consoleTail(lab: string, machine: string): string {
  const path = join(machineDir(lab, machine), 'console.log')
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(-15).join('\n') : `no ${path}`
}

/**
 * A power cut. The cable goes first, because the kernel would otherwise close the dying connections aloud, and
 * a machine without power is silent. Gives the time of the kill, in epoch milliseconds.
 */
export async function powerCut(lab: string, machine: string): Promise<number> {
  const processes = processesOf(lab, machine)
  if (processes === undefined) throw new Error(`${machine} of lab ${lab} is already off`)
  await setLink(lab, machine, 'down')
  killHard(processes.init)
  killHard(processes.nspawn)
  const killedAt = Date.now()
  writeJson(recordPath(lab, machine), { ...processes, killed: true })
  return killedAt
}

/** Kills without ceremony whatever runs of a machine, and waits for the end. For tearing down. */
export async function destroy(lab: string, machine: string): Promise<void> {
  const processes = processesOf(lab, machine)
  // A process that waits for a disk cannot be killed.
  if (processes?.init !== undefined)
    for (const disk of dataDiskNames) await resumeDataDisk(processes.init.pid, disk)
  killHard(processes?.init)
  killHard(processes?.nspawn)
  await untilOff(lab, machine, 30_000)
}

/** Waits until nothing of a machine runs any more. */
export async function untilOff(lab: string, machine: string, timeoutMs: number): Promise<void> {
  const record = readJson<Processes>(recordPath(lab, machine))
  await until(`${machine} to be off`, timeoutMs, () =>
    isRunning(record?.nspawn) || isRunning(record?.init) ? undefined : true,
  )
  rmSync(recordPath(lab, machine), { force: true })
}

/** Whether the machine is held still. */
export function isFrozen(lab: string, machine: string): boolean {
  const nspawn = processesOf(lab, machine)?.nspawn
  if (nspawn === undefined) return false
  const path = `${payload(lab, machine, nspawn)}/cgroup.freeze`
  return existsSync(path) && readFileSync(path, 'utf8').trim() === '1'
}

/** Holds every process of the machine still, or lets them go on. Returns when the kernel says it is so. */
export async function setFrozen(lab: string, machine: string, frozen: boolean): Promise<void> {
  const nspawn = processesOf(lab, machine)?.nspawn
  if (nspawn === undefined) throw new Error(`${machine} of lab ${lab} is not powered on`)
  const group = payload(lab, machine, nspawn)
  writeFileSync(`${group}/cgroup.freeze`, frozen ? '1' : '0')
  const wanted = `frozen ${frozen ? 1 : 0}`
  await until(`${machine} to be ${wanted}`, 10_000, () =>
    readFileSync(`${group}/cgroup.events`, 'utf8').includes(wanted) ? true : undefined,
  )
}
