/**
 * Called by: Consul's watch on `postgresql/leader`, as consul.
 * argv: none. stdin: the watch's JSON: the key with its `Session` while it is held, or null.
 * Exit codes (Consul only logs them): 0 done or nothing to do, 64 usage, 65 stdin is not JSON, 1 the unit could not be started, 75 deadline.
 */
import { EXIT, UnderstudyError } from '../lib/errors.ts'
import { main, noArguments } from '../lib/handler.ts'
import { log } from '../lib/log.ts'
import { units } from '../lib/paths.ts'
import { queueUnit } from '../lib/world/systemd.ts'

/** What the watch saw. Read to its end, and not in one go: that would be deaf to signals and deadlines. */
async function readEntry(): Promise<{ Session?: string } | null> {
  let text = ''
  for await (const chunk of process.stdin) text += chunk
  try {
    return JSON.parse(text || 'null')
  } catch (cause) {
    throw new UnderstudyError(EXIT.data, 'stdin is not the JSON of a Consul watch', { cause })
  }
}

main({
  name: 'leader-released',
  help: `leader-released [--dry-run]
Starts the failover unit when the lock of the primary is free. Called by Consul's watch on postgresql/leader.`,
  timeoutMs: 10_000,
  parse: noArguments,
  async run(_event, _context, { dryRun }) {
    const entry = await readEntry()
    const free = entry !== null && !entry.Session
    const plan = free
      ? { do: 'start', why: 'the lock was released' }
      : { do: 'nothing', why: entry ? 'the lock is held' : 'there is no lock yet' }
    if (dryRun) process.stdout.write(`${JSON.stringify(plan)}\n`)
    else if (free) await queueUnit('start', units.failover)
    log('leader-released', plan)
    return EXIT.ok
  },
})
