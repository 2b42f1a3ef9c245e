import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { hostname, networkInterfaces } from 'node:os'
import type { Device, MachineFacts } from '../consul/joining.ts'
import type { Component } from '../core/component.ts'
import { parseCidr } from '../core/network.ts'
import { readSettings } from '../core/settings.ts'

type Packaged = Pick<Component<never>, 'package'>

/** What a join needs to know of the machine before it changes anything. */
export const readMachine = (components: readonly Packaged[]): MachineFacts => ({
  root: process.getuid?.() === 0,
  node: hostname().split('.')[0] ?? '',
  machineId: machineId(),
  devices: readDevices(),
  missing: missingPackages(components, existsSync),
  settings: readSettings(),
  nowMs: Date.now(),
})

/** The packages that the components need and whose programs are not there. */
export const missingPackages = (
  components: readonly Packaged[],
  exists: (program: string) => boolean,
): string[] =>
  components.flatMap((component) =>
    (component.package.depends ?? [])
      .filter(({ program }) => program !== undefined && !exists(program))
      .map((dependency) => dependency.package),
  )

/** systemd's machine id must not be shown to others as it is (machine-id(5)): a hash of it serves as well. */
const machineId = (): string =>
  createHash('sha256')
    .update(`understudy:${readFileSync('/etc/machine-id', 'utf8').trim()}`)
    .digest('hex')
    .slice(0, 32)

const readDevices = (): Device[] =>
  Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
    addresses
      .filter(({ family, internal, cidr }) => family === 'IPv4' && !internal && cidr !== null)
      .map(({ address, cidr }) => ({ name, address, prefix: parseCidr(cidr ?? '')?.prefix ?? 32 })),
  )
