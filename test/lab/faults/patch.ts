/** Builds that are broken on purpose: what the verdict is worth is seen from what it says of them. */
import type { Lab } from '../lib/lab.ts'

const DIRECTORY = '/usr/lib/understudy/handlers'

/** A change of a built handler. */
export interface Patch {
  readonly handlers: readonly string[]
  /** Every place that matches is changed; global. */
  readonly from: RegExp
  /** As String.replace takes it. */
  readonly to: string
}

/** The text with a patch. @throws where nothing matches: the patch is for another version. */
export function applyPatch(text: string, { from, to }: Pick<Patch, 'from' | 'to'>): string {
  const patched = text.replaceAll(from, to)
  if (patched === text) throw new Error(`the patch finds nothing to change: ${from}`)
  return patched
}

/** Changes the handlers of every machine, and sees to it that they still start. */
export async function patchHandlers(lab: Lab, patches: readonly Patch[]): Promise<void> {
  const handlers = [...new Set(patches.flatMap((patch) => patch.handlers))]
  for (const { name: machine } of lab.machines)
    for (const handler of handlers) {
      const file = `${DIRECTORY}/${handler}`
      let text = (await lab.exec(machine, ['cat', file])).stdout
      for (const patch of patches) if (patch.handlers.includes(handler)) text = applyPatch(text, patch)
      const script = 'cat >"$1.new" && chmod 755 "$1.new" && mv "$1.new" "$1"'
      await lab.exec(machine, ['sh', '-c', script, 'patch', file], { input: `${text}\n` })
      await lab.exec(machine, [file, '--help'])
    }
}
