/**
 * Called by: packaging/files-start.sh in understudy-syncthing.service, as root, in the mount namespace that Syncthing is to have.
 * argv: none. stdin: nothing.
 * Exit codes: 0 Syncthing may start, anything else: it must not, and systemd tries again.
 */
import { main } from '../lib/consul/handler.ts'
import { EXIT } from '../lib/core/errors.ts'
import { noArguments } from '../lib/core/handler.ts'
import { decideView } from '../lib/files/decide-view.ts'
import { applyView, observeView } from '../lib/files/view.ts'

main({
  name: 'files-view',
  help: `files-view [--dry-run]
Unmounts everything from Syncthing's mount namespace that its folders do not need, and pauses folders whose directory
was replaced. Called by files-start in understudy-syncthing.service.`,
  timeoutMs: 30_000,
  unjoined: EXIT.ok,
  parse: noArguments,
  observe: async () => observeView(),
  decide: decideView,
  apply: applyView,
  // What was hidden by a mount that is gone may have come to light.
  next: ({ plan }) => (plan.do === 'nothing' ? { exitCode: EXIT.ok } : { lookAgainMs: 0 }),
})
