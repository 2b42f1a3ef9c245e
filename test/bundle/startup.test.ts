/** What a handler adds to the start of Node, which every event pays for. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { after, test } from 'node:test'
import { handlers, Installed } from './support/handlers.ts'

/** Another process can only make a run slower, so the quickest of several is what it takes. */
const RUNS = 7
const RUNS_AT_MOST = 40

const installed = new Installed()
after(() => installed.remove())

/** A process with an empty environment: NODE_EXTRA_CA_CERTS alone adds over 100 ms. */
function timeMs(args: readonly string[]): number {
  const started = performance.now()
  const { status } = spawnSync(process.execPath, args, { env: {}, stdio: 'ignore' })
  assert.equal(status, 0)
  return performance.now() - started
}

for (const [name, { start }] of Object.entries(handlers)) {
  test(`${name} starts within ${start} times the start of Node`, (context) => {
    let node = Number.POSITIVE_INFINITY
    let handler = Number.POSITIVE_INFINITY
    // In turn, so that a busy moment meets both; longer where the machine is too busy to tell.
    for (let runs = 0; runs < RUNS || (handler > start * node && runs < RUNS_AT_MOST); runs += 1) {
      node = Math.min(node, timeMs(['-e', '0']))
      handler = Math.min(handler, timeMs([installed.path(name), '--help']))
    }
    const measured = `${(handler / node).toFixed(2)} times: ${handler.toFixed(0)} ms against ${node.toFixed(0)} ms`
    context.diagnostic(measured)
    assert.ok(handler <= start * node, measured)
  })
}
