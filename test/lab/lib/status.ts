/** What a lab looks like now, read from the kernel and from the machines. */
import { blocksOf } from './block.ts'
import type { Lab } from './lab.ts'
import { isFrozen, processesOf } from './machine.ts'
import { linkIsUp } from './network.ts'

export interface MachineStatus {
  readonly name: string
  readonly address: string
  readonly power: 'on' | 'off'
  readonly link: 'up' | 'down'
  readonly frozen: boolean
  /** What `systemctl is-system-running` says inside, or "-". */
  readonly system: string
}

export interface LabStatus {
  readonly name: string
  readonly suite: string
  readonly clientNamespace: string
  readonly machines: readonly MachineStatus[]
  /** Which traffic is blocked, in words. */
  readonly blocks: readonly string[]
}

/** Looks at every machine of a lab. */
export async function statusOf(lab: Lab): Promise<LabStatus> {
  const machines = await Promise.all(
    lab.machines.map(async ({ name, address }) => {
      const on = processesOf(lab.name, name) !== undefined
      const frozen = isFrozen(lab.name, name)
      const asked =
        on && !frozen
          ? await lab.exec(name, ['systemctl', 'is-system-running'], { reject: false, timeoutMs: 5_000 })
          : undefined
      const link = (await linkIsUp(lab.name, name).catch(() => undefined)) ? 'up' : 'down'
      const power = on ? 'on' : 'off'
      return { name, address, power, link, frozen, system: asked?.stdout.trim() || '-' } as const
    }),
  )
  const blocks = await blocksOf(lab.name)
  return { name: lab.name, suite: lab.suite, clientNamespace: lab.clientNamespace, machines, blocks }
}
