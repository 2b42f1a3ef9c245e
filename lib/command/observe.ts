import type { Context } from '../consul/handler.ts'
import { readLeadership } from '../consul/observe-leadership.ts'
import { readNote } from '../core/atomic-files.ts'
import { orUnknown } from '../core/unknown.ts'
import { isFenced } from '../postgresql/fence-marker.ts'
import type { CallFacts, Done } from './decide-call.ts'
import { commandPaths } from './manifest.ts'

/** Reads who is the primary, and what the command was last told. */
export async function observeCall({ settings, consul }: Context): Promise<CallFacts> {
  const { node, virtualIpCommand: program = null } = settings
  const fenced = isFenced()
  const facts = { node, program, fenced, done: readNote<Done>(commandPaths.done) }
  if (program === null || fenced) return { ...facts, leadership: null }
  return { ...facts, leadership: await orUnknown(readLeadership(consul)) }
}
