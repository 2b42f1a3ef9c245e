import { existsSync, mkdirSync, rmSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { replaceFile } from '../core/atomic-files.ts'
import { stdoutOf } from '../core/exec.ts'
import { execQuick } from '../core/exec-quick.ts'
import { disable, ensureRunning, settleUnits, unit } from '../core/systemd.ts'
import { renderState, renderUpload } from './config.ts'
import type { LogPeersPlan } from './decide-peers.ts'
import { logsPaths, logsUnits } from './manifest.ts'

/** A journal of some gigabytes on a slow disk. */
const ASK_MS = 30_000

/** Has the log of this machine sent to these members, now and after every boot. */
export async function applyLogPeers({ begin, end, restart }: LogPeersPlan): Promise<void> {
  mkdirSync(logsPaths.uploads, { recursive: true })
  for (const node of end) {
    await disable(logsUnits.upload(node))
    rmSync(logsPaths.state(node), { force: true })
    // Last: a run that died in between is repeated.
    rmSync(logsPaths.upload(node), { force: true })
  }
  for (const { node, address } of begin) {
    await beginNow(node)
    replaceFile(logsPaths.upload(node), renderUpload(address))
    await ensureRunning(logsUnits.upload(node), [logsPaths.upload(node)])
  }
  await settleUnits()
  for (const node of restart) await unit('restart', logsUnits.upload(node))
}

/** A new member gets what is logged from now on: the journal of a machine with a history may have gigabytes. */
async function beginNow(node: string): Promise<void> {
  if (existsSync(logsPaths.state(node))) return
  const lastLine = ['--quiet', '--lines=1', '--show-cursor', '--output=cat']
  const said = stdoutOf('journalctl', await execQuick('/usr/bin/journalctl', lastLine, ASK_MS))
  const cursor = /^-- cursor: (.+)$/m.exec(said)?.[1]
  if (cursor === undefined) return
  // The directory is that of the user who sends.
  const { uid, gid } = statSync(dirname(logsPaths.state(node)))
  replaceFile(logsPaths.state(node), renderState(cursor), { mode: 0o644, uid, gid })
}
