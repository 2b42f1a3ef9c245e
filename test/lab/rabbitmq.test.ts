/** RabbitMQ, which a cluster has only where somebody asks for it. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { waitFor } from '../../lib/core/wait.ts'
import { BROKER_PACKAGES, drain, GUEST, publish } from './lib/broker.ts'
import { mustJoin, packageFile, statusFrom, untilHealthy } from './lib/cluster.ts'
import { Lab } from './lib/lab.ts'
import { suites } from './lib/state.ts'

for (const suite of suites)
  describe(`rabbitmq local: ${suite}`, () => {
    const name = `rabbitmq-${suite}`
    let lab: Lab

    before(async () => {
      await Lab.remove(name)
      lab = await Lab.up({ name, suite, machines: 3, packages: BROKER_PACKAGES, log: console.log })
      await lab.installPackage(packageFile())
      await mustJoin(lab, 'n1')
      await mustJoin(lab, 'n2', 'n1')
    })
    after(() => Lab.remove(name))

    const sh = async (machine: string, script: string): Promise<string> =>
      (await lab.exec(machine, ['sh', '-euc', script], { timeoutMs: 60_000 })).stdout.trim()
    const enable = (machine: string) =>
      lab.exec(machine, ['understudy', 'rabbitmq', 'enable', 'local'], { reject: false, timeoutMs: 300_000 })
    const SERVER = '/usr/lib/rabbitmq/bin/rabbitmq-server'

    test('a cluster without it runs none, and needs no package', async () => {
      const { rabbitmq, healthy } = await untilHealthy(lab, 'n1')
      assert.deepEqual([rabbitmq, healthy], [undefined, true])
      assert.equal(await sh('n1', 'systemctl is-active rabbitmq-server || true'), 'inactive')
      assert.doesNotMatch(await sh('n1', 'cat /etc/consul.d/understudy-services.json'), /rabbitmq/)
    })

    test('where the package is missing, nothing is enabled', async () => {
      await sh('n1', `mv ${SERVER} ${SERVER}.away`)
      const refused = await enable('n1')
      await sh('n1', `mv ${SERVER}.away ${SERVER}`)
      assert.equal(refused.exitCode, 78, refused.stderr)
      assert.match(refused.stderr, /^understudy rabbitmq: these packages are missing: rabbitmq-server; /)
      assert.equal((await statusFrom(lab, 'n1')).rabbitmq, undefined)
    })

    test('one command on any member sets it up on every member, and a machine that joins gets it', async () => {
      const enabled = await enable('n2')
      assert.equal(enabled.exitCode, 0, enabled.stdout + enabled.stderr)
      assert.equal(enabled.stdout, 'RabbitMQ runs on n2')
      assert.equal((await enable('n1')).stdout, 'RabbitMQ runs on n1')
      await mustJoin(lab, 'n3', 'n1')
      const { rabbitmq, notes, machines } = await untilHealthy(lab, 'n3')
      assert.equal(rabbitmq, 'local')
      assert.deepEqual(
        machines.map((machine) => machine.rabbitmq),
        [true, true, true],
      )
      assert.match(notes.join('\n'), /RabbitMQ is local: each machine's messages are on that machine alone/)
    })

    test('the messages of a machine are on that machine, and there again after a power cut', async () => {
      await publish(lab, 'n3', GUEST, 'tasks', 0, 100)
      await publish(lab, 'n2', GUEST, 'tasks', 1000, 10)
      await lab.poweroff('n3')
      await waitFor('the status names the machine', 60_000, async () => {
        const { problems } = await statusFrom(lab, 'n1')
        return problems.some((text) => text.startsWith('n3 does not answer')) || null
      })
      await lab.poweron('n3')
      await untilHealthy(lab, 'n3')
      assert.deepEqual(
        await drain(lab, 'n3', GUEST, 'tasks'),
        Array.from({ length: 100 }, (_, number) => number),
      )
      assert.equal((await drain(lab, 'n2', GUEST, 'tasks')).length, 10)
    })

    test('what a broker writes into its log is in the journals of the others', async () => {
      await waitFor('n1 has a line of the broker of n3', 60_000, async () => {
        const log = 'understudy logs --machine n3 --unit understudy-log-rabbitmq --since -10min'
        return /accepting AMQP connection/.test(await sh('n1', log)) || null
      })
    })

    test('a broker that does not run is named', async () => {
      await sh('n2', 'systemctl stop rabbitmq-server')
      await waitFor('the status names it', 60_000, async () => {
        const { problems, machines } = await statusFrom(lab, 'n1')
        const named = problems.some((text) => /^the check rabbitmq of n2 is critical/.test(text))
        return (named && machines.find(({ name: one }) => one === 'n2')?.rabbitmq === false) || null
      })
      await sh('n2', 'systemctl start rabbitmq-server')
      await untilHealthy(lab, 'n2')
    })
  })
