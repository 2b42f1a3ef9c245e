import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Consul } from '../../../lib/consul/client.ts'
import { UNKNOWN } from '../../../lib/core/unknown.ts'
import { observeFence } from '../../../lib/postgresql/observe-fence.ts'
import { closeServers, listen } from '../support/server.ts'
import { settings } from '../support/settings.ts'

after(closeServers)

test('the time in which Consul does not answer a look counts: the machine has been cut off all the while', async () => {
  const consul = new Consul({ port: await listen(() => {}), timeoutMs: 300 })
  const { leadership, waitedMs } = await observeFence({ settings, consul }, { elapsedMs: 2250 })
  assert.equal(leadership, UNKNOWN)
  assert.ok(waitedMs >= 2250 + 300, `${waitedMs} ms`)
})
