/** Faults of single programs: PostgreSQL, Consul, repmgrd, our own handlers. */
import { type Fault, nothingToHeal } from './fault.ts'

/** In the command lines of everything that is ours, but not in that of whoever looks for it. */
const OURS = '/usr/lib/understud[y]/'
/** Which process pkill is meant to find. */
export const CHECKPOINTER = ['-u', 'postgres', '-f', '^postgres: .*checkpointer']
const DATABASE_PID = 'head -n 1 /var/lib/postgresql/*/main/postmaster.pid'

export const programFaults = {
  'postmaster-killed': {
    what: 'the postmaster of $ is killed',
    on: ['primary', 'standby'],
    takes: 'nothing',
    async inject({ lab }, { machine }) {
      // Where another fault has ended it, there is nothing to kill. So it is with all of these.
      await lab.exec(machine, ['sh', '-c', `kill -KILL "$(${DATABASE_PID})"`], { reject: false })
      return nothingToHeal
    },
  },
  'postmaster-stopped': {
    what: 'the postmaster of $ is stopped (SIGSTOP), its sessions go on',
    on: ['primary', 'standby'],
    takes: 'the machine',
    async inject({ lab }, { machine }) {
      const pid = (await lab.exec(machine, ['sh', '-c', DATABASE_PID], { reject: false })).stdout.trim()
      await lab.exec(machine, ['kill', '-STOP', pid], { reject: false })
      return async () => {
        // Somebody may have ended it meanwhile.
        await lab.exec(machine, ['kill', '-CONT', pid], { reject: false })
      }
    },
  },
  'checkpointer-stopped': {
    what: 'the checkpointer of $ is stopped (SIGSTOP)',
    on: ['primary', 'standby'],
    takes: 'the machine',
    async inject({ lab }, { machine }) {
      await lab.exec(machine, ['pkill', '-STOP', ...CHECKPOINTER], { reject: false })
      return async () => {
        await lab.exec(machine, ['pkill', '-CONT', ...CHECKPOINTER], { reject: false })
      }
    },
  },
  'database-stopped': {
    what: 'PostgreSQL on $ is stopped',
    on: ['standby'],
    takes: 'the machine',
    async inject({ lab }, { machine }) {
      await lab.exec(machine, ['systemctl', 'stop', 'postgresql'])
      return async () => {
        await lab.exec(machine, ['systemctl', 'start', 'postgresql'])
      }
    },
  },
  'consul-killed': {
    what: 'Consul on $ is killed',
    on: ['primary', 'standby'],
    takes: 'nothing',
    async inject({ lab }, { machine }) {
      await lab.exec(machine, ['systemctl', 'kill', '--kill-whom=main', '--signal=KILL', 'consul'], {
        reject: false,
      })
      return nothingToHeal
    },
  },
  'consul-stopped': {
    what: 'Consul on $ is stopped',
    on: ['primary', 'standby'],
    takes: 'nothing',
    async inject({ lab }, { machine }) {
      await lab.exec(machine, ['systemctl', 'stop', 'consul'])
      return async () => {
        await lab.exec(machine, ['systemctl', 'start', 'consul'])
      }
    },
  },
  'both-stopped': {
    what: 'Consul and PostgreSQL on $ are stopped',
    on: ['primary', 'standby'],
    takes: 'the machine',
    async inject({ lab }, { machine }) {
      await lab.exec(machine, ['systemctl', 'stop', 'consul', 'postgresql'])
      return async () => {
        // The start gate waits for as long as it takes to know who the primary is.
        await lab.exec(machine, ['systemctl', 'start', '--no-block', 'consul', 'postgresql'])
      }
    },
  },
  'consul-majority-lost': {
    what: 'Consul is stopped everywhere but on $',
    on: ['primary', 'standby'],
    takes: 'everything',
    async inject(stage, { machine }) {
      const stopped = stage.others(machine)
      const all = (verb: string) =>
        Promise.all(stopped.map((other) => stage.lab.exec(other, ['systemctl', verb, 'consul'])))
      await all('stop')
      return async () => {
        await all('start')
      }
    },
  },
  'repmgrd-killed': {
    what: 'repmgrd on $ is killed',
    on: ['primary', 'standby'],
    takes: 'nothing',
    async inject({ lab }, { machine }) {
      await lab.exec(machine, ['systemctl', 'kill', '--signal=KILL', 'understudy-repmgrd'], { reject: false })
      return nothingToHeal
    },
  },
  'handlers-killed': {
    what: 'whatever handlers run on $ and the other machines are killed again and again',
    on: ['primary', 'standby'],
    takes: 'nothing',
    async inject(stage, { random }) {
      // Irregular, and longer than a handler takes for some of its steps: each dies in another one.
      const delays = Array.from({ length: 50 }, () => String(random.integer(20, 900) / 1000))
      const script = `while :; do for delay; do sleep "$delay"; pkill -KILL -f '${OURS}'; done; done`
      const ends = stage.machines.flatMap((machine) => {
        try {
          return [stage.background(machine, ['sh', '-c', script, 'killer', ...delays])]
        } catch {
          return [] // off or frozen
        }
      })
      return async () => {
        for (const end of ends) await end()
      }
    },
  },
} as const satisfies Record<string, Fault>
