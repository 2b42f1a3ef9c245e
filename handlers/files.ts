/**
 * Called by: understudy-files.service, as understudy-syncthing (started by Consul's watch on `syncthing/` and by the periodic
 * check); by `understudy join` and `understudy folders`, as root.
 * argv: [--merge-files=PATH]. stdin: nothing.
 * Exit codes: 0 done or nothing to do (also where Consul does not answer), 1 something failed (also where Syncthing does not
 * answer), 64 usage, 75 deadline.
 */
import { main } from '../lib/consul/handler.ts'
import { usageError } from '../lib/core/errors.ts'
import { filesRun } from '../lib/files/reconcile.ts'

const { observe, decide, apply, next } = filesRun()

main({
  name: 'files',
  help: `files [--merge-files=PATH] [--dry-run]
Gives this machine's Syncthing the devices and folders of the cluster, and counts conflict files. With --merge-files it
also shares folders at or below PATH in which this machine already has files of its own.
Called by understudy-files.service, understudy join and understudy folders.`,
  timeoutMs: 120_000,
  parse(argv): { mergeFiles: string | null } {
    const [flag, ...extra] = argv
    const path = /^--merge-files=(\/.*)$/.exec(flag ?? '')?.[1]
    const wrong = flag !== undefined && path === undefined ? flag : extra[0]
    if (wrong !== undefined)
      throw usageError(
        `unexpected argument ${wrong}; this handler takes --merge-files=PATH, --dry-run and --help`,
      )
    return { mergeFiles: path ?? null }
  },
  observe,
  decide,
  apply,
  next,
})
