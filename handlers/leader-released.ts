/**
 * Called by: Consul's watch on `postgresql/leader`, as consul.
 * argv: none. stdin: the watch's JSON: the key with its `Session` while it is held, or null.
 * Exit codes (Consul only logs them): 0 done or nothing to do, 64 usage, 1 the unit could not be started, 75 deadline.
 */
import { readFileSync } from 'node:fs'
import { EXIT } from '../lib/errors.ts'
import { main, noArguments } from '../lib/handler.ts'
import { log } from '../lib/log.ts'
import { units } from '../lib/paths.ts'
import { queueUnit } from '../lib/world/systemd.ts'

main({
  name: 'leader-released',
  help: `leader-released [--dry-run]
Starts the failover unit when the lock of the primary is free. Called by Consul's watch on postgresql/leader.`,
  timeoutMs: 10_000,
  parse: noArguments,
  async run(_event, _context, { dryRun }) {
    const entry = JSON.parse(readFileSync(0, 'utf8') || 'null') as { Session?: string } | null
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
