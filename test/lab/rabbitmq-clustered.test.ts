/** Clustered RabbitMQ: what was confirmed survives any one fault, and every broker comes back without an operator. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { waitFor } from '../../lib/core/wait.ts'
import { BROKER_PACKAGES, drain, GUEST, type Login, loginOf, Publisher, publish } from './lib/broker.ts'
import { addressOf, mustJoin, packageFile, statusFrom, untilHealthy } from './lib/cluster.ts'
import { Lab } from './lib/lab.ts'
import { mustRefuse } from './lib/refusal.ts'
import { suites } from './lib/state.ts'

const all = ['n1', 'n2', 'n3']
const MESSAGES = 10_000
/** Publishers on the machines that are left go on within it. */
const GOES_ON_MS = 15_000
/** A broker that was cut off or restarted is back; Mnesia waits a minute for a dead one. */
const BACK_MS = 180_000
/** Two machines boot, and Mnesia waits a minute for the third before one of them goes ahead. */
const TOTAL_MS = 300_000
/** A planned stop waits so long at most for a majority without this broker. */
const QUORUM_MS = 30_000

for (const suite of suites)
  describe(`rabbitmq clustered: ${suite}`, () => {
    const name = `rabbits-${suite}`
    let lab: Lab
    let login: Login

    before(async () => {
      await Lab.remove(name)
      lab = await Lab.up({ name, suite, packages: BROKER_PACKAGES, log: console.log })
      await lab.installPackage(packageFile())
      // As Debian's installer writes it: no machine finds another one by its name.
      for (const machine of all)
        await sh(machine, `printf '127.0.0.1 localhost\\n127.0.1.1 ${machine}\\n' >/etc/hosts`)
    })
    after(() => Lab.remove(name))

    const sh = async (machine: string, script: string): Promise<string> =>
      (await lab.exec(machine, ['sh', '-euc', script], { timeoutMs: 120_000 })).stdout.trim()

    /** What the broker of a machine sees. */
    const lookFrom = async (machine: string) =>
      JSON.parse(await sh(machine, 'rabbitmqctl cluster_status --formatter json')) as {
        running_nodes: string[]
        partitions: Record<string, string[]>
      }

    /** Every broker sees all others, and the cluster is in order. */
    const untilWhole = async (): Promise<void> => {
      for (const machine of all)
        await waitFor<true>(`the broker of ${machine} sees all others`, BACK_MS, async () => {
          const { running_nodes: running, partitions } = await lookFrom(machine)
          if (running.length === all.length && Object.keys(partitions).length === 0) return true as const
          throw new Error(JSON.stringify({ running, partitions }))
        })
      await untilHealthy(lab, 'n1')
    }

    let nextNumber = 0
    const publisherOn = (machine: string, queue: string): Publisher => {
      nextNumber += 1_000_000
      return new Publisher(lab, machine, login, queue, nextNumber)
    }
    const stopAll = (publishers: readonly Publisher[]): Promise<unknown> =>
      Promise.all(publishers.map((publisher) => publisher.stop()))
    const numbersOf = (publishers: readonly Publisher[]): number[] =>
      publishers.flatMap(({ confirmed }) => confirmed.map(({ number }) => number))
    const untilConfirmed = (publisher: Publisher, since: number): Promise<true> =>
      waitFor<true>('a publisher goes on', BACK_MS, async () => {
        if (publisher.confirmed.some(({ at }) => at > since)) return true
        throw new Error(publisher.errors.at(-1) ?? 'it waits')
      })

    test('a broker that cannot be a member is refused, and stays as it is', async () => {
      // Said when the cluster is begun, or later.
      if (suite === 'trixie') await mustJoin(lab, 'n1', undefined, ['--rabbitmq', 'clustered'])
      else {
        await mustJoin(lab, 'n1')
        await mustJoin(lab, 'n2', 'n1')
        const enable = ['understudy', 'rabbitmq', 'enable', 'clustered']
        const { stdout } = await lab.exec('n2', enable, { timeoutMs: 300_000 })
        assert.match(stdout, /^RabbitMQ runs on n2$/m)
      }
      const joining = ['understudy', 'join', '--consul-join', addressOf(lab, 'n1')]
      const refused = async (begin: string, says: RegExp, end: string): Promise<void> => {
        await sh('n3', begin)
        await mustRefuse(lab, 'n3', joining, 78, says).finally(() => sh('n3', end))
      }
      await refused(
        // The first one by name counts.
        'mkdir /usr/lib/rabbitmq/lib/rabbitmq_server-1.0.0',
        /RabbitMQ 1\.0 is installed here, and the cluster has \d+\.\d+; brokers of two releases cannot be one cluster/,
        'rmdir /usr/lib/rabbitmq/lib/rabbitmq_server-1.0.0',
      )
      const cookie = '/var/lib/rabbitmq/.erlang.cookie'
      await refused(
        `cp --archive ${cookie} /var/tmp/cookie; printf secret >${cookie}`,
        /the cookie of Erlang in \S+ was set by somebody/,
        `cp --archive /var/tmp/cookie ${cookie}`,
      )
      const data = '/var/lib/rabbitmq/mnesia/rabbit@n3'
      await refused(
        `mkdir --parents ${data}; echo 0123456789abcdef >${data}/understudy`,
        /RabbitMQ here has the data of another cluster/,
        'rm --recursive /var/lib/rabbitmq/mnesia',
      )
      await refused(
        'printf "heartbeat = 30\\n" >/etc/rabbitmq/rabbitmq.conf',
        /RabbitMQ here is configured by \/etc\/rabbitmq\/rabbitmq\.conf/,
        'rm /etc/rabbitmq/rabbitmq.conf',
      )
      // As Debian's package leaves it.
      await sh('n3', 'systemctl start rabbitmq-server')
      await publish(lab, 'n3', GUEST, 'mine', 0, 1)
      await refused(':', /RabbitMQ here has the queue mine, which joining would remove/, ':')
      await refused(
        'systemctl stop rabbitmq-server',
        /RabbitMQ here has data and does not run/,
        'systemctl start rabbitmq-server',
      )
      assert.deepEqual(await drain(lab, 'n3', GUEST, 'mine'), [0])
      await sh('n3', 'rabbitmqctl delete_queue mine')
    })

    test('join makes each broker a member, also one that Debian has started', async () => {
      await Promise.all(['n2', 'n3'].map((machine) => mustJoin(lab, machine, 'n1')))
      login = await loginOf(lab, 'n1')
      await untilWhole()
      assert.equal((await statusFrom(lab, 'n2')).rabbitmq, 'clustered')
    })

    test('nobody else gets in, and nothing else resolves the names', async () => {
      for (const machine of all) {
        const script = "ss -Hltn 'sport = :4369 or sport = :5672 or sport = :25672' | awk '{print $4}' | sort"
        const address = addressOf(lab, machine)
        const expected = [`${address}:25672`, `${address}:4369`, '127.0.0.1:4369', '127.0.0.1:5672']
        assert.deepEqual((await sh(machine, script)).split('\n'), expected.sort())
      }
      assert.equal(await sh('n2', 'rabbitmqctl list_users --silent --no-table-headers | cut -f1'), 'app')
      assert.equal(await sh('n1', 'getent ahostsv4 n2 || echo nobody'), 'nobody')
    })

    test('what was confirmed survives the power cut of each machine in turn, and publishers go on', async (context) => {
      const publishers = new Map(all.map((machine) => [machine, publisherOn(machine, 'tasks')]))
      const every = [...publishers.values()]
      for (const victim of all) {
        const before = numbersOf(every).length
        await waitFor(`${MESSAGES} messages`, BACK_MS, async () =>
          numbersOf(every).length - before >= MESSAGES / all.length ? true : null,
        )
        const { killedAt } = await lab.poweroff(victim)
        publishers.get(victim)?.stop()
        const others = all.filter((machine) => machine !== victim)
        for (const machine of others) {
          const publisher = publishers.get(machine) as Publisher
          await untilConfirmed(publisher, killedAt + GOES_ON_MS / 2)
          const gapMs = publisher.longestGapSince(killedAt)
          context.diagnostic(`power cut of ${victim}: ${gapMs} ms without a confirm on ${machine}`)
          assert.ok(gapMs < GOES_ON_MS, `${machine}: ${gapMs} ms`)
        }
        await lab.poweron(victim)
        await untilWhole()
        const again = publisherOn(victim, 'tasks')
        every.push(again)
        publishers.set(victim, again)
      }
      await stopAll(every)
      const confirmed = numbersOf(every)
      assert.ok(confirmed.length >= MESSAGES, `${confirmed.length} messages`)
      const taken = await drain(lab, 'n2', login, 'tasks')
      const delivered = new Set(taken)
      context.diagnostic(
        `${confirmed.length} messages confirmed, ${taken.length} delivered, ${taken.length - delivered.size} of them twice`,
      )
      assert.deepEqual(
        confirmed.filter((number) => !delivered.has(number)),
        [],
      )
    })

    /** The brokers lose each other after 6 to 10 s; whether they have noticed it by then is chance. */
    const SHORT_MS = 10_000
    for (const [fault, begin, end, isShort] of [
      ['a cable that is pulled and put back', 'cut', 'heal', false],
      ['a cable that is out for a short time', 'cut', 'heal', true],
      ['a machine that freezes and thaws', 'freeze', 'thaw', false],
    ] as const)
      test(`${fault}: everybody publishes again`, async (context) => {
        const queue = `queue-${begin}${isShort ? '-short' : ''}`
        const publishers = all.map((machine) => publisherOn(machine, queue))
        for (const publisher of publishers) await untilConfirmed(publisher, 0)
        const since = Date.now()
        await lab[begin]('n2')
        if (isShort) await sleep(SHORT_MS)
        else
          await waitFor('the others have given n2 up', BACK_MS, async () => {
            const { running_nodes: running } = await lookFrom('n1')
            return running.includes('rabbit@n2') ? null : true
          })
        await lab[end]('n2')
        const healed = Date.now()
        for (const [index, publisher] of publishers.entries()) {
          await untilConfirmed(publisher, healed + 1000)
          const machine = all[index]
          const from = machine === 'n2' ? healed : since
          const gapMs = publisher.longestGapSince(from)
          context.diagnostic(
            `${machine}: ${gapMs} ms without a confirm${machine === 'n2' ? ' since then' : ''}`,
          )
          if (machine !== 'n2') assert.ok(gapMs < GOES_ON_MS, `${machine}: ${gapMs} ms`)
        }
        await untilWhole()
        await stopAll(publishers)
        const delivered = new Set(await drain(lab, 'n1', login, queue))
        assert.deepEqual(
          numbersOf(publishers).filter((number) => !delivered.has(number)),
          [],
        )
      })

    test('a planned stop waits until the queues have a majority without it, but not for ever', async () => {
      await publish(lab, 'n1', login, 'planned', 0, 1)
      const stopOn = async (machine: string): Promise<number> => {
        const since = performance.now()
        await sh(machine, 'systemctl stop rabbitmq-server')
        return performance.now() - since
      }
      assert.ok((await stopOn('n3')) < QUORUM_MS)
      const alone = await stopOn('n2')
      assert.ok(alone >= QUORUM_MS && alone < 2 * QUORUM_MS, `${alone} ms`)
      // A cookie that was changed meanwhile is put right.
      await sh('n2', 'printf other >/var/lib/rabbitmq/.erlang.cookie')
      for (const machine of ['n2', 'n3']) await sh(machine, 'systemctl start --no-block rabbitmq-server')
      await untilWhole()
    })

    test('all lose their power and two come back: they go on without the third', async (context) => {
      await publish(lab, 'n1', login, 'total', 0, 1)
      // RabbitMQ saves which queues it has once it has been idle for half a second.
      await sleep(5000)
      await publish(lab, 'n1', login, 'total', 1, 99)
      await Promise.all(all.map((machine) => lab.poweroff(machine)))
      const on = Date.now()
      // A boot of Debian 12 lasts until a broker goes ahead, which is longer than the lab waits for one.
      const booting = Promise.allSettled(['n2', 'n3'].map((machine) => lab.poweron(machine)))
      await waitFor('n2 publishes', TOTAL_MS, async () => {
        await publish(lab, 'n2', login, 'total', 100, 10)
        return true
      })
      context.diagnostic(`n2 publishes ${Date.now() - on} ms after its power is on`)
      await booting
      await lab.poweron('n1')
      await untilWhole()
      const numbers = new Set(await drain(lab, 'n1', login, 'total'))
      for (let number = 0; number < 110; number++) assert.ok(numbers.has(number), `${number} is lost`)
    })

    for (const [what, lose] of [
      ['everything', 'find /var/lib/rabbitmq -mindepth 1 -delete'],
      ['its data alone', 'rm --recursive /var/lib/rabbitmq/mnesia/rabbit@n3'],
    ] as const)
      test(`a broker that has lost ${what} joins again, and gets its copies`, async (context) => {
        await publish(lab, 'n1', login, 'kept', 0, 100)
        await sh('n3', `systemctl stop rabbitmq-server; ${lose}`)
        const lost = Date.now()
        await sh('n3', 'systemctl start --no-block rabbitmq-server')
        await waitFor('n3 has a copy of the queue again', BACK_MS, async () => {
          await sh('n3', 'test -e /var/lib/rabbitmq/mnesia/rabbit@n3/understudy')
          const said = await sh('n1', 'rabbitmqctl --vhost understudy list_queues name online --silent')
          assert.match(said, /^kept\t.*rabbit@n3/m)
          return true
        })
        context.diagnostic(`n3 has its copies ${Date.now() - lost} ms later`)
        await untilWhole()
        assert.equal((await drain(lab, 'n3', login, 'kept')).length, 100)
      })
  })
