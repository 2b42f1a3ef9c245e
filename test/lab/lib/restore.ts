/** Ends whatever faults there are, wherever a test or a round was broken off. */
import { explain } from '../../../lib/core/errors.ts'
import { dataDiskNames } from './data-disk.ts'
import type { Lab } from './lab.ts'
import { type MachineStatus, statusOf } from './status.ts'

type Note = (what: string) => void

/** Every process: PostgreSQL's and the daemons'. */
const ALL_GO_ON = 'kill -CONT -1'

/** Puts every machine of a lab right again. What fails is noted, and the rest is done. */
export async function putRight(lab: Lab, note: Note): Promise<void> {
  await lab.unblock()
  const { machines } = await statusOf(lab)
  await Promise.all(machines.map((machine) => putMachineRight(lab, machine, note)))
}

async function putMachineRight(lab: Lab, { name, power, link, frozen }: MachineStatus, note: Note) {
  const attempt = async (what: string, work: () => Promise<unknown>): Promise<void> => {
    await work().catch((error: unknown) => note(`cannot ${what}: ${explain(error)}`))
  }
  if (frozen) await attempt(`thaw ${name}`, () => lab.thaw(name))
  if (power === 'off') await attempt(`power ${name} on`, () => lab.poweron(name))
  else if (link === 'down') await attempt(`plug ${name} in`, () => lab.heal(name))
  for (const disk of dataDiskNames)
    await attempt(`give ${name} its disks back`, async () => {
      await lab.resumeDisk(name, disk)
      await lab.freeDisk(name, disk)
    })
  if (lab.clocks) await attempt(`set the clock of ${name}`, () => lab.moveClock(name, 0))
  await attempt(`let the programs on ${name} go on`, () =>
    lab.exec(name, ['sh', '-c', ALL_GO_ON], { reject: false }),
  )
  await attempt(`start Consul on ${name}`, () => lab.exec(name, ['systemctl', 'start', 'consul']))
}
