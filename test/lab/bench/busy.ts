/** Machines whose processors have too much to do. */
import { type ChildProcess, spawn } from 'node:child_process'
import type { Lab } from '../lib/lab.ts'

export const LOOPS_PER_MACHINE = 2

/** Loops that do nothing, on every machine of a lab. @returns what ends them. */
export function startBusyLoops(lab: Lab): () => void {
  const loops: ChildProcess[] = []
  for (const { name } of lab.machines) {
    // Ends with its input, and so with this process, also where nobody ends it.
    const [file = '', ...argv] = lab.execCommand(name, ['sh', '-c', 'while :; do :; done & cat; kill $!'])
    // In a session of their own, as services are: the kernel shares the processors between sessions.
    for (let n = 0; n < LOOPS_PER_MACHINE; n++)
      loops.push(spawn(file, argv, { stdio: ['pipe', 'ignore', 'ignore'], detached: true }))
  }
  return () => {
    for (const loop of loops.splice(0)) loop.stdin?.end()
  }
}
