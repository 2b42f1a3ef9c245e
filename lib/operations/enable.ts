import type { Consul } from '../consul/client.ts'
import { consulKeys, consulUnits, type PartMode } from '../consul/manifest.ts'
import type { OptionalPart } from '../consul/optional-part.ts'
import { readText } from '../core/atomic-files.ts'
import { readFailure } from '../core/failure.ts'
import { paths } from '../core/paths.ts'
import { queueUnit } from '../core/systemd.ts'
import { waitFor } from '../core/wait.ts'

/** The first start of a server on a busy machine; this member is configured as after an upgrade of the package. */
const HERE_MS = 180_000
/** The others notice it in their next periodic check, which comes every 15 s, and start theirs. */
const OTHERS_MS = 60_000

/**
 * Waits until an optional part that was just enabled runs on this machine, and for a while until it does on the others.
 * @param configured has what this machine's part was last set up as. @param print takes one line for the operator.
 */
export async function awaitEnabled(
  { consul, node }: { consul: Consul; node: string },
  { name, title }: OptionalPart,
  { mode, configured }: { mode: PartMode; configured: string },
  print: (line: string) => void,
): Promise<void> {
  if (readText(configured)?.trim() !== mode) await queueUnit('start', consulUnits.upgrade)
  const isHere = async (): Promise<true | null> => {
    if (readText(configured)?.trim() === mode && !(await waitingFor(consul, name)).includes(node)) return true
    const failure = readFailure(paths.upgradeFailed)
    if (failure) throw new Error(failure.reason)
    return null
  }
  await waitFor(`${title} on ${node}`, HERE_MS, isHere)
  print(`${title} runs on ${node}`)
  const late = await waitFor(`${title} on the other members`, OTHERS_MS, async () =>
    (await waitingFor(consul, name)).length === 0 ? [] : null,
  ).catch(() => waitingFor(consul, name))
  for (const other of late) print(`it does not run on ${other} yet; the check of ${other} says why`)
}

/** Members whose check of it does not pass yet. */
async function waitingFor(consul: Consul, check: string): Promise<string[]> {
  const [nodes, checks] = await Promise.all([consul.names(consulKeys.nodes), consul.checks([check])])
  const passes = checks.filter(({ status }) => status === 'passing')
  return nodes.filter((name) => !passes.some(({ node }) => node === name))
}
