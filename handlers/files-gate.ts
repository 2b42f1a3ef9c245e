/**
 * Called by: ExecStartPre of understudy-syncthing.service, as understudy-syncthing, before Syncthing scans anything.
 * argv: none. stdin: nothing.
 * Exit codes: 0 Syncthing may start, anything else: it must not, and systemd tries again.
 */
import { main } from '../lib/consul/handler.ts'
import { EXIT } from '../lib/core/errors.ts'
import { noArguments } from '../lib/core/handler.ts'
import { decideFilesGate } from '../lib/files/decide-gate.ts'
import { applyFilesGate, observeFilesGate } from '../lib/files/gate.ts'

main({
  name: 'files-gate',
  help: `files-gate [--dry-run]
Pauses the replicated folders in which something is mounted, or was at the last look. Called by ExecStartPre in
understudy-syncthing.service.`,
  timeoutMs: 30_000,
  unjoined: EXIT.ok,
  parse: noArguments,
  observe: async () => observeFilesGate(),
  decide: decideFilesGate,
  apply: async (plan) => applyFilesGate(plan),
})
