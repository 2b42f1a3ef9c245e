/**
 * Called by: Consul's service check `understudy` every 15 s, as consul. Catches what an event missed.
 * argv: none. stdin: nothing. stdout: the problems that were found; constant while nothing changes. What concerns files is said in
 * a check of its own, `files`.
 * Exit codes, as Consul understands them: 0 passing, 1 warning, anything else critical.
 */

import { components } from '../lib/components.ts'
import { main } from '../lib/consul/handler.ts'
import { noArguments } from '../lib/core/handler.ts'
import { checkRun } from '../lib/operations/check.ts'

const { observe, decide, apply, next } = checkRun(components)

main({
  name: 'check',
  silent: true,
  help: `check [--dry-run]
Compares this machine with what the cluster wants, repairs what differs, and reports what stays wrong. Called by Consul
every 15 s.`,
  timeoutMs: 13_000,
  parse: noArguments,
  observe,
  decide,
  apply,
  next,
})
