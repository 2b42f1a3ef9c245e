/**
 * Called by: Consul's service check `understudy` every 15 s, and at its end by `understudy join` with --once, as consul. Catches what
 * an event missed.
 * argv: none, or --once. stdin: nothing. stdout: the problems that were found; constant while nothing changes. What concerns files is said in
 * a check of its own, `files`.
 * Exit codes, as Consul understands them: 0 passing, 1 warning, anything else critical.
 */

import { components } from '../lib/components.ts'
import { main } from '../lib/consul/handler.ts'
import { checkRun } from '../lib/operations/check.ts'

const { parse, observe, decide, apply, next } = checkRun(components)

main({
  name: 'check',
  silent: true,
  help: `check [--once] [--dry-run]
Compares this machine with what the cluster wants, repairs what differs, and reports what stays wrong: it looks a second
time, except with --once. Called by Consul every 15 s, and by understudy join.`,
  timeoutMs: 13_000,
  parse,
  observe,
  decide,
  apply,
  next,
})
