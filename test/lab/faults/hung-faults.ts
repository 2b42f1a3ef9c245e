/** Faults of what hangs instead of dying: disks, and daemons of ours and of the system. */
import { waitFor } from '../../../lib/core/wait.ts'
import type { DataDiskName } from '../lib/data-disk.ts'
import { mainPid } from './ask.ts'
import type { Fault } from './fault.ts'
import type { Stage } from './stage.ts'

/** The check finds it in two runs, which come every 15 s and wait themselves; then the others elect. */
const LEADS_MS = 90_000

const disk = (what: string, name: DataDiskName): Fault => ({
  what: `the disk of ${what} of $ hangs`,
  on: ['primary', 'standby'],
  takes: 'the machine',
  async inject({ lab }, { machine }) {
    await lab.hangDisk(machine, name)
    return () => lab.resumeDisk(machine, name)
  },
})

const signalTo = (stage: Stage, machine: string, unit: string, signal: 'STOP' | 'CONT') =>
  // Another fault may have ended it.
  stage.lab.exec(machine, ['systemctl', 'kill', `--signal=${signal}`, unit], { reject: false })

/** A daemon that a failover needs. Half of the time nobody lets it go on: understudy has to notice, and to end it. */
const ours = (what: string, unit: string): Fault => ({
  what: `${what} on $ is stopped (SIGSTOP)`,
  on: ['primary', 'standby'],
  takes: 'nothing',
  async inject(stage, { machine, random }) {
    const pid = await mainPid(stage.lab, machine, unit)
    await signalTo(stage, machine, unit, 'STOP')
    const goesOn = random.integer(0, 1) === 1
    return async () => {
      if (goesOn) await signalTo(stage, machine, unit, 'CONT')
      else stage.hanging.push({ machine, unit, pid })
    }
  },
})

/** A daemon of the system, which it is not for us to end. */
const ofTheSystem = (what: string, unit: string): Fault => ({
  what: `${what} on $ is stopped (SIGSTOP)`,
  on: ['primary', 'standby'],
  takes: 'nothing',
  async inject(stage, { machine }) {
    // Not all of them run while nobody needs them.
    await stage.lab.exec(machine, ['systemctl', 'start', unit])
    await signalTo(stage, machine, unit, 'STOP')
    return async () => {
      await signalTo(stage, machine, unit, 'CONT')
    }
  },
})

export const hungFaults = {
  'disk-hung': disk('the database', 'databases'),
  'consul-disk-hung': disk('Consul', 'consul'),
  'consul-leader-disk-hung': {
    what: 'the disk of Consul hangs on the machine that leads Consul',
    on: ['primary'],
    takes: 'everything',
    async inject({ lab, events }, { machine }) {
      const inConsul = async (from: string, path: string, ...options: string[]): Promise<string> => {
        const curl = ['curl', '--silent', '--max-time', '3', ...options, `http://127.0.0.1:8500/v1/${path}`]
        return (await lab.exec(from, curl, { reject: false })).stdout
      }
      const leaderBy = async (from: string): Promise<string | undefined> => {
        const address = (await inConsul(from, 'status/leader')).replace(/"|:.*/g, '')
        return lab.machines.find((one) => one.address === address)?.name
      }
      const leader = await leaderBy(machine)
      if (leader === undefined) throw new Error('nobody leads Consul')
      const other = lab.machines.find(({ name }) => name !== leader)?.name ?? machine
      await lab.hangDisk(leader, 'consul')
      events.note(`the disk of ${leader} hangs`)
      try {
        await waitFor('another machine leads Consul and writes', LEADS_MS, async () => {
          const written = await inConsul(other, 'kv/understudy-test', '--request', 'PUT', '--data', 'x')
          return (written === 'true' && (await leaderBy(other)) !== leader) || null
        })
      } catch (error) {
        await lab.resumeDisk(leader, 'consul')
        throw error
      }
      events.note('another machine leads Consul')
      return () => lab.resumeDisk(leader, 'consul')
    },
  },
  'consul-hung': ours('Consul', 'consul'),
  'pgbouncer-hung': ours('PgBouncer', 'pgbouncer'),
  'keepalived-hung': ours('keepalived', 'keepalived'),
  'repmgrd-hung': ours('repmgrd', 'understudy-repmgrd'),
  'syncthing-hung': ours('Syncthing', 'understudy-syncthing'),
  'polkitd-hung': ofTheSystem('polkitd', 'polkit'),
  'dbus-hung': ofTheSystem('D-Bus', 'dbus'),
  'journald-hung': ofTheSystem('the journal', 'systemd-journald'),
} as const satisfies Record<string, Fault>
