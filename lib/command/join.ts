import type { Joining, Part } from '../consul/joining.ts'
import { EXIT, UnderstudyError } from '../core/errors.ts'
import { whyUnsafe } from './program.ts'

/** What join does about the virtual IP command: it must be there, on every member. The periodic check makes the first call. */
export const part: Part = { look: checkProgram, steps: [], upgrade: [], leave: [] }

async function checkProgram({ options, cluster }: Joining): Promise<void> {
  const program = options.as === 'first' ? options.virtualIpCommand : cluster?.config.virtualIpCommand
  if (program === undefined) return
  const why = whyUnsafe(program)
  if (why !== null)
    throw new UnderstudyError(
      EXIT.config,
      `the virtual IP command ${program} ${why}; every member needs it, owned by root and writable by nobody else`,
    )
}
