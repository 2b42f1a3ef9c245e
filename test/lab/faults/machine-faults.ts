/** Faults of a machine as a whole: power, cable, frozen, disk, clock. */
import type { Fault } from './fault.ts'

const HOUR_SECONDS = 3600

const clock = (what: string, seconds: number): Fault => ({
  what,
  on: ['primary', 'standby'],
  takes: 'nothing',
  async inject({ lab }, { machine }) {
    await lab.moveClock(machine, seconds)
    return () => lab.moveClock(machine, 0)
  },
})

export const machineFaults = {
  'power-cut': {
    what: 'the power of $ is cut',
    on: ['primary', 'standby'],
    takes: 'the machine',
    async inject({ lab }, { machine }) {
      await lab.poweroff(machine)
      return () => lab.poweron(machine)
    },
  },
  'cable-pulled': {
    what: 'the cable of $ is pulled',
    on: ['primary', 'standby'],
    takes: 'the machine',
    async inject({ lab }, { machine }) {
      await lab.cut(machine)
      return () => lab.heal(machine)
    },
  },
  frozen: {
    what: '$ is frozen',
    on: ['primary', 'standby'],
    takes: 'the machine',
    async inject({ lab }, { machine }) {
      await lab.freeze(machine)
      return () => lab.thaw(machine)
    },
  },
  'disk-full': {
    what: 'the disk of the database of $ is full',
    on: ['primary', 'standby'],
    takes: 'the machine',
    async inject({ lab }, { machine }) {
      await lab.fillDisk(machine)
      return () => lab.freeDisk(machine)
    },
  },
  'consul-disk-full': {
    what: 'the disk of Consul of $ is full',
    on: ['primary', 'standby'],
    takes: 'nothing',
    async inject({ lab }, { machine }) {
      await lab.fillDisk(machine, 'consul')
      return () => lab.freeDisk(machine, 'consul')
    },
  },
  'clock-ahead': clock('the clock of $ is an hour ahead', HOUR_SECONDS),
  'clock-behind': clock('the clock of $ is an hour behind', -HOUR_SECONDS),
} as const satisfies Record<string, Fault>
