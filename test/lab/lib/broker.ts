/** Clients of RabbitMQ on the machines: python3-pika, with confirms. */
import { execa } from 'execa'
import type { Lab } from './lab.ts'

/** What a machine needs to run RabbitMQ and its clients. */
export const BROKER_PACKAGES = ['rabbitmq-server', 'python3-pika'] as const

/** Who a client is, and where its queues are. */
export interface Login {
  readonly user: string
  readonly password: string
  readonly vhost: string
}

/** The application's login at clustered brokers. */
export async function loginOf(lab: Lab, machine: string): Promise<Login> {
  const { stdout } = await lab.exec(machine, ['cat', '/etc/understudy/rabbitmq.password'])
  return { user: 'app', password: stdout.trim(), vhost: 'understudy' }
}

export const GUEST: Login = { user: 'guest', password: 'guest', vhost: '/' }

/** $1 to $3: the login. Connects to the machine's own broker; what follows runs with `channel`. */
const CONNECT = `import pika, sys
user, password, vhost, *argv = sys.argv[1:]
parameters = pika.ConnectionParameters('127.0.0.1', 5672, vhost, pika.PlainCredentials(user, password), blocked_connection_timeout=30, socket_timeout=10)
channel = pika.BlockingConnection(parameters).channel()
`
/** Declares a durable queue and publishes numbers into it, each confirmed. */
const PUBLISH = `${CONNECT}
queue, first, count = argv[0], int(argv[1]), int(argv[2])
channel.queue_declare(queue, durable=True)
channel.confirm_delivery()
for number in range(first, first + count):
    channel.basic_publish('', queue, str(number), pika.BasicProperties(delivery_mode=2), mandatory=True)
print(count)
`
/** Publishes one number after the other until it is ended; prints each that was confirmed. Connects again as often as it has to. */
const PUBLISH_ON = `import pika, sys, time
user, password, vhost, queue, number = *sys.argv[1:5], int(sys.argv[5])
parameters = pika.ConnectionParameters('127.0.0.1', 5672, vhost, pika.PlainCredentials(user, password), blocked_connection_timeout=10, socket_timeout=5, stack_timeout=10)
while True:
    try:
        channel = pika.BlockingConnection(parameters).channel()
        channel.queue_declare(queue, durable=True)
        channel.confirm_delivery()
        while True:
            channel.basic_publish('', queue, str(number), pika.BasicProperties(delivery_mode=2), mandatory=True)
            print(number, flush=True)
            number += 1
    except Exception as error:
        print(repr(error), file=sys.stderr, flush=True)
        time.sleep(0.5)
`
/** Takes everything that is in a queue, until nothing comes for a while. */
const DRAIN = `${CONNECT}
channel.basic_qos(prefetch_count=1000)
for frame, _, body in channel.consume(argv[0], inactivity_timeout=10):
    if frame is None: break
    print(body.decode())
    channel.basic_ack(frame.delivery_tag)
channel.cancel()
`

async function python(
  lab: Lab,
  machine: string,
  script: string,
  { user, password, vhost }: Login,
  argv: readonly string[],
) {
  const command = ['python3', '-', user, password, vhost, ...argv]
  return (await lab.exec(machine, command, { input: script, timeoutMs: 180_000 })).stdout
}

/** Publishes `count` messages, the numbers from `first` on. @throws unless each is confirmed. */
export async function publish(
  lab: Lab,
  machine: string,
  login: Login,
  queue: string,
  first: number,
  count: number,
): Promise<void> {
  await python(lab, machine, PUBLISH, login, [queue, String(first), String(count)])
}

/** Takes all messages of a queue, in their order. */
export const drain = async (lab: Lab, machine: string, login: Login, queue: string): Promise<number[]> =>
  (await python(lab, machine, DRAIN, login, [queue]))
    .trim()
    .split('\n')
    .filter((line) => line !== '')
    .map(Number)

/** A client that goes on publishing whatever happens. It has no time-out for a confirm: what never comes holds it for ever. */
export class Publisher {
  /** Every message that was confirmed, and when (epoch milliseconds). */
  readonly confirmed: { number: number; at: number }[] = []
  readonly errors: string[] = []
  readonly #process: { kill(signal: NodeJS.Signals): boolean }
  readonly #ended: Promise<unknown>

  constructor(lab: Lab, machine: string, { user, password, vhost }: Login, queue: string, first: number) {
    const [file = '', ...argv] = lab.execCommand(machine, [
      ...['python3', '-uc', PUBLISH_ON, user, password, vhost, queue, String(first)],
    ])
    const child = execa(file, argv, { reject: false, stdin: 'ignore', buffer: false, lines: true })
    this.#process = child
    child.stderr?.on('data', (data: Buffer) => this.errors.push(String(data).trim()))
    this.#ended = (async () => {
      for await (const line of child.iterable()) this.confirmed.push({ number: Number(line), at: Date.now() })
    })().catch(() => {})
  }

  /** The longest time without a confirm since then, in milliseconds, up to now. */
  longestGapSince(since: number): number {
    const times = [since, ...this.confirmed.map(({ at }) => at).filter((at) => at >= since), Date.now()]
    return Math.max(...times.slice(1).map((at, index) => at - (times[index] ?? at)))
  }

  async stop(): Promise<void> {
    this.#process.kill('SIGKILL')
    await this.#ended
  }
}
