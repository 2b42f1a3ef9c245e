/** What a machine that is to have a clustered broker has of RabbitMQ already. */
export interface BrokerHere {
  /** A file with settings that are not ours, or null. */
  settingsIn: string | null
  /** Whose mark its data has: of this machine in this cluster, or of another one. */
  mark: 'none' | 'ours' | 'other'
  /** Is there any data? */
  used: boolean
  /** Whose cookie it has: nobody's in particular, as Debian's package or Erlang makes one where there is none, or somebody's. */
  cookie: 'none' | 'made' | 'ours' | 'other'
  /** What the running broker holds; null where it does not run or does not say. */
  holds: BrokerContents | null
  /** Release series, such as 4.0. */
  series: string
}

/** What a broker has defined, and what other brokers it is one cluster with, by name. */
export interface BrokerContents {
  others: readonly string[]
  users: readonly string[]
  vhosts: readonly string[]
  queues: readonly string[]
  exchanges: readonly string[]
  policies: readonly string[]
}

/**
 * Why this machine's broker cannot become a member of the cluster of brokers, in one sentence, or null. Joining takes away
 * everything that a broker has, so one that may have anything is refused.
 *
 * @param series of the brokers of the cluster; null where there are none yet.
 */
export function whyNoBroker(here: BrokerHere, series: string | null): string | null {
  if (series !== null && series !== here.series)
    return `RabbitMQ ${here.series} is installed here, and the cluster has ${series}; brokers of two releases cannot be one cluster, so use the same release of Debian`
  if (here.mark === 'ours') return null
  if (here.mark === 'other')
    return 'RabbitMQ here has the data of another cluster, or of another time; move /var/lib/rabbitmq/mnesia away if you do not need it'
  if (here.cookie === 'other')
    return "the cookie of Erlang in /var/lib/rabbitmq/.erlang.cookie was set by somebody, and is not that of the cluster's brokers; move that file away if no other cluster of brokers needs it"
  if (here.settingsIn !== null)
    return `RabbitMQ here is configured by ${here.settingsIn}; a clustered broker is configured by understudy alone, so move that file away`
  if (!here.used) return null
  if (here.holds === null)
    return 'RabbitMQ here has data and does not run, so that nobody can see whether it holds messages; start it, or move /var/lib/rabbitmq/mnesia away if you do not need it'
  const [other] = here.holds.others
  if (other !== undefined)
    return `RabbitMQ here is one cluster with ${other}; take it out of that cluster first (rabbitmqctl reset)`
  const found = firstOwn(here.holds)
  return found === null
    ? null
    : `RabbitMQ here has the ${found}, which joining would remove; move it away first, or delete it`
}

/** Cookies that nobody chose: of Debian's package (42 bytes in base64), and of Erlang itself (20 capitals). */
const MADE = /^([A-Za-z0-9+/]{56}|[A-Z]{20})$/

/** Whose cookie a machine has. @param own what is in its file; null: there is none. @param ours the cluster's; null: it has none yet. */
export function whoseCookie(own: string | null, ours: string | null): BrokerHere['cookie'] {
  if (own === null) return 'none'
  const text = own.trim()
  if (text === ours) return 'ours'
  return MADE.test(text.replace(/\s/g, '')) ? 'made' : 'other'
}

/** What Debian's package makes: nothing of the operator's. */
const DEFAULTS = { users: ['guest'], vhosts: ['/'], queues: [], exchanges: [], policies: [] } as const
const ONE_OF = {
  queues: 'queue',
  users: 'user',
  vhosts: 'vhost',
  exchanges: 'exchange',
  policies: 'policy',
} as const

/** Something that somebody has made in a broker, with its name; null where there is nothing. */
function firstOwn(holds: BrokerContents): string | null {
  for (const kind of Object.keys(ONE_OF) as (keyof typeof ONE_OF)[]) {
    const made: readonly string[] = DEFAULTS[kind]
    const own = holds[kind].find((name) => !made.includes(name))
    if (own !== undefined) return `${ONE_OF[kind]} ${own}`
  }
  return null
}
