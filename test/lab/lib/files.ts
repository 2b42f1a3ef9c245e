/** Replicated files on a lab: what a service or a person does with them. */
import { UNKNOWN } from '../../../lib/core/unknown.ts'
import { waitFor } from '../../../lib/core/wait.ts'
import { statusFrom } from './cluster.ts'
import type { ExecResult } from './exec.ts'
import type { Lab } from './lab.ts'

export const RESOURCES = '/opt/manager/resources'

/** Runs `understudy files`, whatever comes of it. */
export const files = (lab: Lab, machine: string, args: readonly string[], input = ''): Promise<ExecResult> =>
  lab.exec(machine, ['understudy', 'files', ...args], { reject: false, input, timeoutMs: 300_000 })

/** Puts a text, and fails where it is not confirmed. @returns how long that took, in milliseconds. */
export async function put(
  lab: Lab,
  machine: string,
  path: string,
  text: string,
  args: readonly string[] = [],
): Promise<number> {
  const { exitCode, stdout, stderr } = await files(lab, machine, ['put', '-', path, '--json', ...args], text)
  if (exitCode !== 0) throw new Error(`put on ${machine} ended with ${exitCode}: ${stderr}`)
  return (JSON.parse(stdout) as { ms: number }).ms
}

/** The text of a file, or null where there is none. */
export async function textOf(lab: Lab, machine: string, path: string): Promise<string | null> {
  const { exitCode, stdout } = await lab.exec(machine, ['cat', path], { reject: false })
  return exitCode === 0 ? stdout : null
}

/** Waits until the check `files` of a machine, as another one sees it, says so; null: until it says nothing. */
export async function untilCheckSays(
  lab: Lab,
  machine: string,
  says: RegExp | null,
  seenFrom = machine,
): Promise<void> {
  await waitFor(`the check of ${machine} says ${says ?? 'nothing'}`, 120_000, async () => {
    const status = await statusFrom(lab, seenFrom)
    const checks = status.machines.find(({ name }) => name === machine)?.checks
    const check = checks === UNKNOWN ? undefined : checks?.find(({ id }) => id === 'files')
    const output = check?.output ?? ''
    if (says === null ? check?.status === 'passing' : says.test(output)) return true
    throw new Error(`it says ${output}`)
  })
}

/** Waits until every machine is connected with every other one, and has everything. */
export async function untilInSync(lab: Lab, machines: readonly string[], timeoutMs = 180_000): Promise<void> {
  await waitFor(`${machines.join(', ')} have the same files`, timeoutMs, async () => {
    for (const machine of machines) {
      const { exitCode, stderr } = await files(lab, machine, [
        'wait',
        '--min-copies',
        String(machines.length - 1),
        '--timeout',
        '5',
      ])
      if (exitCode !== 0) throw new Error(`${machine}: ${stderr}`)
    }
    return true
  })
}
