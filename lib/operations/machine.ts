import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import type { MachineFacts } from '../consul/joining.ts'
import type { Component } from '../core/component.ts'
import { readDevices } from '../core/interfaces.ts'
import { missingPackages } from '../core/packages.ts'
import { readSettings } from '../core/settings.ts'

/** What a join needs to know of the machine before it changes anything. */
export const readMachine = (components: readonly Pick<Component<never>, 'package'>[]): MachineFacts => ({
  root: process.getuid?.() === 0,
  node: hostname().split('.')[0] ?? '',
  machineId: machineId(),
  devices: readDevices(),
  missing: missingPackages(components.flatMap((component) => component.package.depends ?? [])),
  settings: readSettings(),
  nowMs: Date.now(),
})

/** systemd's machine id must not be shown to others as it is (machine-id(5)): a hash of it serves as well. */
const machineId = (): string =>
  createHash('sha256')
    .update(`understudy:${readFileSync('/etc/machine-id', 'utf8').trim()}`)
    .digest('hex')
    .slice(0, 32)
