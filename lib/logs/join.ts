import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { type Joining, type Part, settingsOf } from '../consul/joining.ts'
import { replaceFile } from '../core/atomic-files.ts'
import { checkPorts } from '../core/ports.ts'
import { reconcile } from '../core/reconciler.ts'
import { ensureRunning } from '../core/systemd.ts'
import { renderReceiver } from './config.ts'
import { logsPaths, logsUnits, RECEIVER_PORT } from './manifest.ts'
import { logPeers } from './peers.ts'

const setUp = { phase: 'daemons', title: 'set up the copies of the logs', run: setUpLogs } as const

/** The logs' part of a join. The other members learn of this machine by their watch on the seats. */
export const part: Part = {
  async look({ placement }) {
    checkPorts(logsUnits.receiver, [{ port: RECEIVER_PORT, address: placement.address }])
  },
  steps: [setUp],
  upgrade: [setUp],
  leave: [],
}

async function setUpLogs(joining: Joining): Promise<void> {
  const settings = settingsOf(joining)
  mkdirSync(dirname(logsPaths.receiver), { recursive: true })
  replaceFile(logsPaths.receiver, renderReceiver(settings.address))
  await ensureRunning(logsUnits.receiver, [logsPaths.receiver])
  await ensureRunning(logsUnits.postgresql, [])
  await ensureRunning(logsUnits.limit, [])
  await reconcile(logPeers, { settings, consul: joining.consul })
}
