/** Ends whatever faults there are, wherever a round was broken off. */
import { explain } from '../../../lib/errors.ts'
import { type MachineStatus, statusOf } from '../lib/status.ts'
import type { Stage } from './stage.ts'

const DATABASE_GOES_ON = 'kill -CONT "$(head -n 1 /var/lib/postgresql/*/main/postmaster.pid)"'

/** Puts every machine right again. What fails is noted, and the rest is done. */
export async function putRight(stage: Stage): Promise<void> {
  const { lab, events } = stage
  events.note('everything is put right')
  await lab.unblock()
  const { machines } = await statusOf(lab)
  await Promise.all(machines.map((machine) => putMachineRight(stage, machine)))
}

async function putMachineRight({ lab, events }: Stage, { name, power, link, frozen }: MachineStatus) {
  const attempt = async (what: string, work: () => Promise<unknown>): Promise<void> => {
    await work().catch((error: unknown) => events.note(`cannot ${what}: ${explain(error)}`))
  }
  if (frozen) await attempt(`thaw ${name}`, () => lab.thaw(name))
  if (power === 'off') await attempt(`power ${name} on`, () => lab.poweron(name))
  else if (link === 'down') await attempt(`plug ${name} in`, () => lab.heal(name))
  await attempt(`free the disk of ${name}`, () => lab.freeDisk(name))
  await attempt(`set the clock of ${name}`, () => lab.moveClock(name, 0))
  await attempt(`let PostgreSQL on ${name} go on`, () =>
    lab.exec(name, ['sh', '-c', DATABASE_GOES_ON], { reject: false }),
  )
  await attempt(`start Consul on ${name}`, () => lab.exec(name, ['systemctl', 'start', 'consul']))
}
