/**
 * Called by: understudy-upgrade.service, as root (started by the package's postinst and by the periodic check).
 * argv: none. stdin: nothing.
 * Exit codes: 0 this machine is configured by this build, or is no member; anything else: it is not yet, and systemd tries again.
 */
import { main } from '../lib/consul/handler.ts'
import { EXIT } from '../lib/core/errors.ts'
import { noArguments } from '../lib/core/handler.ts'
import { decideUpgrade } from '../lib/operations/decide-upgrade.ts'
import { observeUpgrade } from '../lib/operations/observe-upgrade.ts'
import { applyUpgrade } from '../lib/operations/upgrade.ts'

main({
  name: 'upgrade',
  help: `upgrade [--dry-run]
Configures this member as the installed package wants it, and reloads what changed. Called by understudy-upgrade.service.`,
  // Each step has its own deadline; together they are shorter.
  timeoutMs: 300_000,
  unjoined: EXIT.ok,
  parse: noArguments,
  observe: observeUpgrade,
  decide: decideUpgrade,
  apply: applyUpgrade,
})
