import { EXIT, UnderstudyError } from '../core/errors.ts'
import { HttpError, type JsonRequest, requestJson } from '../core/http.ts'
import type { Key } from '../core/key.ts'
import { keepNothing, keepQuestion } from '../core/questions.ts'
import { parseEntry, parseListing, type RawEntry, Snapshot } from './document.ts'
import { DEFAULT_PREFIX, type Entry, type Listing } from './entry.ts'
import { failureOf, isConflict, isNotFound } from './failure.ts'
import type { Realm } from './realm.ts'

/** For each call: the local agent answers in milliseconds; while Consul elects a leader, callers look again instead. */
const TIMEOUT_MS = 2000

/** Where every agent of ours answers, on loopback. */
export const HTTP_PORT = 8500

/** How a request is remembered for `quick-check`: it may be repeated (ask), must not be (none), or was remembered already (kept). */
type Question = 'ask' | 'none' | 'kept'

/** A health check of the catalogue. */
export interface Check {
  node: string
  checkId: string
  service: string
  status: 'passing' | 'warning' | 'critical'
  output: string
}

/** The value of an operation that another program fills in. */
export const FILLED_IN = Symbol('filled in')

/** One operation of a transaction, see https://developer.hashicorp.com/consul/api-docs/txn. */
export interface Operation {
  verb: 'set' | 'cas' | 'lock' | 'unlock' | 'check-session' | 'check-index' | 'check-not-exists' | 'delete'
  key: string
  value?: unknown
  index?: number
  session?: string
}

/** The condition of a transaction that a key has not changed since `index` (0: it did not exist). */
export const asSeen = (key: string, index: number): Operation =>
  index === 0 ? { verb: 'check-not-exists', key } : { verb: 'check-index', key, index }

/**
 * `consistent`: the answer of a leader that has made sure it still is one. `stale`: of whichever server answers, also without a
 * leader. See https://developer.hashicorp.com/consul/api-docs/features/consistency.
 */
type Consistency = 'consistent' | 'stale'

/**
 * The local Consul agent: typed keys, a deadline on every call. What is expected to fail (a lost compare-and-set, a taken lock) is
 * a value. Everything else that fails is an {@link UnderstudyError}: `unavailable` where Consul does not answer, `config` where it
 * denies, `data` where the answer or a document is malformed, `failed` where it refuses the request.
 */
export class Consul {
  readonly #prefix: string
  readonly #port: number
  readonly #timeoutMs: number

  constructor(options: { prefix?: string; port?: number; timeoutMs?: number } = {}) {
    const { prefix = DEFAULT_PREFIX, port = HTTP_PORT, timeoutMs = TIMEOUT_MS } = options
    this.#prefix = prefix
    this.#port = port
    this.#timeoutMs = timeoutMs
  }

  /** A consistent read. null where the key does not exist. */
  get<T>(key: Key<T>): Promise<Entry<T> | null> {
    return this.#get(key, 'consistent')
  }

  /** A read that may be old: for people, never for decisions. */
  getStale<T>(key: Key<T>): Promise<Entry<T> | null> {
    return this.#get(key, 'stale')
  }

  async #get<T>(key: Key<T>, consistency: Consistency): Promise<Entry<T> | null> {
    const [raw] = await this.#read<RawEntry>(`read ${key.path}`, key, consistency)
    return raw ? parseEntry(key, raw) : null
  }

  /** All entries below a prefix key (one that ends in "/"), by a consistent read. */
  async list<T>(key: Key<T>): Promise<Listing<T>> {
    return parseListing(key, await this.#list(key, 'consistent'))
  }

  /** All keys below a name at one moment, by one consistent read. @param top such as `postgresql`. */
  async snapshot(top: string): Promise<Snapshot> {
    const path = `${top}/`
    const entries = await this.#list({ path }, 'consistent')
    return new Snapshot(new Map(entries.map(([name, raw]) => [path + name, raw])))
  }

  /** The same with their indices and sessions. @throws where one of the entries is malformed. */
  async entries<T>(key: Key<T>): Promise<Map<string, Entry<T>>> {
    return this.#entries(key, 'consistent')
  }

  /** The same by a read that may be old: for people, never for decisions. */
  async listStale<T>(key: Key<T>): Promise<Map<string, Entry<T>>> {
    return this.#entries(key, 'stale')
  }

  async #entries<T>(key: Key<T>, consistency: Consistency): Promise<Map<string, Entry<T>>> {
    return new Map((await this.#list(key, consistency)).map(([name, raw]) => [name, parseEntry(key, raw)]))
  }

  /** The names of the entries below a prefix key, whatever their values are. */
  async names(key: Key<unknown>): Promise<string[]> {
    const keys = await this.#read<string>(`list ${key.path}`, key, 'consistent', '&keys')
    return keys.map((path) => this.#nameBelow(key, path))
  }

  async #list(key: Pick<Key<unknown>, 'path'>, consistency: Consistency): Promise<[string, RawEntry][]> {
    const entries = await this.#read<RawEntry>(`list ${key.path}`, key, consistency, '&recurse')
    return entries.map((raw) => [this.#nameBelow(key, raw.Key), raw])
  }

  /** The rows of Consul's answer; none where there is no such key. */
  async #read<Row>(
    what: string,
    key: Pick<Key<unknown>, 'path'>,
    consistency: Consistency,
    rest = '',
  ): Promise<Row[]> {
    const path = `${this.#pathOf(key)}?${consistency}${rest}`
    this.#keep(key, rest)
    try {
      return (await this.#send({ method: 'GET', path }, 'kept')) as Row[]
    } catch (cause) {
      if (isNotFound(cause)) return []
      throw failureOf(what, cause)
    }
  }

  /**
   * One question for all keys below the same top. The one with the lock is consistent, so that a lost quorum is an answer; the local server
   * answers the others. How far commits are confirmed changes while clients write, and no look of `check` uses it.
   */
  #keep({ path }: Pick<Key<unknown>, 'path'>, rest: string): void {
    const [top = ''] = path.split('/')
    const [consistency, varies] =
      top === 'postgresql'
        ? (['consistent', '[{][^{}]*postgresql/confirmed"[^{}]*[}]'] as const)
        : (['stale', ''] as const)
    const names = rest === '&keys' && path === `${top}/`
    const what = this.#pathOf({ path: path === top ? top : `${top}/` })
    const values = path === top ? '' : '&recurse'
    keepQuestion('consul', 'GET', `${what}?${consistency}${names ? rest : values}`, '', varies)
  }

  /** Writes whatever was there. */
  async set<T>(key: Key<T>, value: T): Promise<void> {
    await this.#ask(`write ${key.path}`, { method: 'PUT', path: this.#pathOf(key), body: value })
  }

  /** Writes the time, only to see whether Consul can write. @param valueAt a time -> what is written. */
  async prove<T>(key: Key<T>, valueAt: (at: string) => T): Promise<void> {
    const request = { method: 'PUT', path: this.#pathOf(key) } as const
    keepQuestion('consul', request.method, request.path, JSON.stringify(valueAt('NOW')))
    await this.#ask(`write ${key.path}`, { ...request, body: valueAt(new Date().toISOString()) }, 'kept')
  }

  async delete(key: Key<unknown>): Promise<void> {
    await this.#ask(`delete ${key.path}`, { method: 'DELETE', path: this.#pathOf(key) })
  }

  /**
   * Writes only if the key has not changed since `read` (null: it did not exist).
   * @returns false where somebody was quicker.
   * @throws where a newer understudy wrote what was read: this one would drop what it does not understand.
   */
  async compareAndSet<T>(key: Key<T>, value: T, read: Entry<T> | null): Promise<boolean> {
    if (read?.newerSchema !== undefined)
      throw new UnderstudyError(
        EXIT.config,
        `a newer understudy (schema ${read.newerSchema}) has written ${key.path}, so this machine cannot change it; upgrade this machine`,
      )
    const path = `${this.#pathOf(key)}?cas=${read?.modifyIndex ?? 0}`
    return (await this.#ask(`write ${key.path}`, { method: 'PUT', path, body: value })) === true
  }

  /**
   * Takes a key as a lock and writes its value, only if it has not changed since `modifyIndex` (0: it did not exist): a slow
   * candidate must not take the lock after others have had it.
   * @returns false where somebody was quicker, or another session holds it.
   */
  async acquire<T>({ path: key }: Key<T>, value: T, session: string, modifyIndex: number): Promise<boolean> {
    return this.transaction([asSeen(key, modifyIndex), { verb: 'lock', key, value, session }])
  }

  /** Gives a lock back; the key keeps its value. @returns false where the session did not hold it. */
  async release<T>(key: Key<T>, value: T, session: string): Promise<boolean> {
    const path = `${this.#pathOf(key)}?release=${encodeURIComponent(session)}`
    return (await this.#ask(`release the lock ${key.path}`, { method: 'PUT', path, body: value })) === true
  }

  /**
   * All operations or none. A `cas` always changes the key, also where the value stays: whoever has seen it before is too late.
   * @returns false where one of the conditions did not hold.
   */
  async transaction(operations: readonly Operation[]): Promise<boolean> {
    try {
      await this.#send({ method: 'PUT', path: '/v1/txn', body: this.#bodyOf(operations) })
      return true
    } catch (cause) {
      if (isConflict(cause)) return false
      const written = [...new Set(operations.map(({ key }) => key))].join(' and ')
      throw failureOf(`write ${written} in one transaction`, cause)
    }
  }

  /** What {@link transaction} sends, with VALUE for what is {@link FILLED_IN}, in base64. */
  transactionText(operations: readonly Operation[]): string {
    return JSON.stringify(this.#bodyOf(operations))
  }

  #bodyOf(operations: readonly Operation[]): object[] {
    return operations.map(({ verb, key, value, index, session }) => ({
      KV: {
        Verb: verb,
        Key: this.#prefix + key,
        ...(value === undefined ? {} : { Value: encode(value) }),
        ...(index === undefined ? {} : { Index: index }),
        // Consul skips a write that changes nothing, and keeps the index. The flags are part of what it compares.
        ...(verb === 'cas' ? { Flags: index } : {}),
        ...(session === undefined ? {} : { Session: session }),
      },
    }))
  }

  /** Creates a session of this agent. It dies with any of its checks; keys it holds are released, not deleted. */
  async createSession(options: {
    name: string
    nodeChecks: string[]
    serviceChecks: string[]
    ttlSeconds?: number
    /** How long Consul gives the keys to nobody when the session was lost. */
    lockDelaySeconds?: number
  }): Promise<string> {
    const body = {
      Name: options.name,
      Behavior: 'release',
      LockDelay: `${options.lockDelaySeconds ?? 0}s`,
      NodeChecks: options.nodeChecks,
      ServiceChecks: options.serviceChecks.map((ID) => ({ ID })),
      ...(options.ttlSeconds === undefined ? {} : { TTL: `${options.ttlSeconds}s` }),
    }
    const path = '/v1/session/create'
    const session = await this.#ask(`create the session ${options.name}`, { method: 'PUT', path, body })
    return (session as { ID: string }).ID
  }

  /** The living sessions of a node. */
  async sessions(node: string): Promise<{ id: string; name: string }[]> {
    const path = `/v1/session/node/${encodeURIComponent(node)}?consistent`
    const sessions = await this.#ask(`list the sessions of ${node}`, { method: 'GET', path })
    return (sessions as { ID: string; Name: string }[]).map(({ ID, Name }) => ({ id: ID, name: Name }))
  }

  /** Lets a session with a time to live begin it anew. @throws also where the session has ended. */
  async renewSession(id: string): Promise<void> {
    const path = `/v1/session/renew/${encodeURIComponent(id)}`
    await this.#ask('renew a session', { method: 'PUT', path })
  }

  async destroySession(id: string): Promise<void> {
    const path = `/v1/session/destroy/${encodeURIComponent(id)}`
    await this.#ask('destroy a session', { method: 'PUT', path })
  }

  /** The health checks with these ids, one at least, of every node, by a consistent read. An operator may have thousands of others. */
  checks(ids: readonly string[]): Promise<Check[]> {
    const filter = ids.map((id) => `CheckID == ${JSON.stringify(id)}`).join(' or ')
    return this.#checks('consistent', filter)
  }

  /** Every health check of every node, by a read that may be old: for people, never for decisions. */
  checksStale(): Promise<Check[]> {
    return this.#checks('stale')
  }

  /** @param filter see https://developer.hashicorp.com/consul/api-docs/features/filtering. */
  async #checks(consistency: Consistency, filter?: string): Promise<Check[]> {
    const path = `/v1/health/state/any?${consistency}${filter === undefined ? '' : `&filter=${encodeURIComponent(filter)}`}`
    const checks = await this.#ask('list the health checks', { method: 'GET', path })
    return (checks as RawCheck[]).map((check) => ({
      node: check.Node,
      checkId: check.CheckID,
      service: check.ServiceName,
      status: check.Status,
      output: check.Output,
    }))
  }

  /** Sets the state of a check of this agent that has only a time to live. */
  async setCheck(id: string, status: 'passing' | 'warning', output: string): Promise<void> {
    const path = `/v1/agent/check/update/${encodeURIComponent(id)}`
    const body = { Status: status, Output: output }
    await this.#ask(`set the check ${id}`, { method: 'PUT', path, body }, 'ask')
  }

  /**
   * Says in the catalogue that a check of a machine passes, for whoever has just run it. The agent of that machine says the same, or
   * something else, at the check's first turn.
   * @returns false where there is no such check yet.
   */
  async passCheck(node: string, checkId: string, output: string): Promise<boolean> {
    const path = `/v1/health/node/${encodeURIComponent(node)}?consistent`
    const checks = (await this.#ask(`list the checks of ${node}`, { method: 'GET', path })) as RawCheck[]
    const found = checks.find(({ CheckID }) => CheckID === checkId)
    if (!found) return false
    const body = { Node: node, SkipNodeUpdate: true, Check: { ...found, Status: 'passing', Output: output } }
    await this.#ask(`set the check ${checkId}`, { method: 'PUT', path: '/v1/catalog/register', body })
    return true
  }

  /** Address of the current leader, or null: there is no quorum. */
  async leader(): Promise<string | null> {
    const path = '/v1/status/leader'
    return ((await this.#ask('ask for the leader', { method: 'GET', path })) as string | null) || null
  }

  /** Names of the servers that have a vote, also without a leader. */
  async voters(): Promise<string[]> {
    const path = '/v1/operator/raft/configuration?stale'
    const raft = await this.#ask('list the servers with a vote', { method: 'GET', path })
    const { Servers } = raft as { Servers: { Node: string; Voter: boolean }[] }
    return Servers.flatMap(({ Node, Voter }) => (Voter ? [Node] : []))
  }

  /**
   * Members of the gossip pool as this agent sees them, in another order each time: no question for `quick-check`, so a look that has
   * nothing to do must not depend on it.
   */
  async members(): Promise<
    { name: string; nodeId: string; address: string; alive: boolean; server: boolean; version: string }[]
  > {
    const members = await this.#ask('list the members', { method: 'GET', path: '/v1/agent/members' }, 'kept')
    return (members as RawMember[]).map((member) => ({
      name: member.Name,
      nodeId: member.Tags['id'] ?? '',
      address: member.Addr,
      alive: member.Status === ALIVE,
      server: member.Tags['role'] === 'consul',
      version: (member.Tags['build'] ?? '').split(':')[0] ?? '',
    }))
  }

  /** What keeps the servers that this agent knows apart from others. */
  async realm(): Promise<Realm> {
    const members = (await this.#ask('list the members', {
      method: 'GET',
      path: '/v1/agent/members',
    })) as RawMember[]
    const server = members.find(({ Status, Tags }) => Status === ALIVE && Tags['role'] === 'consul')
    const [datacenter, port] = [server?.Tags['dc'], Number(server?.Tags['port'])]
    if (datacenter === undefined || !Number.isInteger(port))
      throw new UnderstudyError(EXIT.data, 'Consul knows no server of its own')
    return { datacenter, serverPort: port }
  }

  /** Lets this agent's gossip look for a member at this address. */
  async join(address: string): Promise<void> {
    await this.#ask(`join ${address}`, {
      method: 'PUT',
      path: `/v1/agent/join/${encodeURIComponent(address)}`,
    })
  }

  /** The tags of a service of this agent, or null where it is not registered. */
  async serviceTags(id: string): Promise<string[] | null> {
    const service = await this.#service(id)
    return service ? (service.Tags ?? []) : null
  }

  /** Registers a service of this agent again with other tags; its checks and their state stay as they are. */
  async setServiceTags(id: string, tags: string[]): Promise<void> {
    const service = await this.#service(id)
    if (!service)
      throw new UnderstudyError(EXIT.retry, `could not tag the service ${id}: it is not registered in Consul`)
    const { Service: Name, Port, Address } = service
    const body = { ID: id, Name, Port, Address, Tags: tags }
    await this.#ask(`tag the service ${id}`, { method: 'PUT', path: '/v1/agent/service/register', body })
  }

  /** What was noted under this name beside services of this agent (in their Meta), by their ids; those without it are not there. */
  async serviceMeta(name: string): Promise<Map<string, string>> {
    const path = `/v1/agent/services?filter=${encodeURIComponent(`${JSON.stringify(name)} in Meta`)}`
    const services = (await this.#ask('list the services', { method: 'GET', path })) as Record<
      string,
      RawService
    >
    return new Map(Object.entries(services).map(([id, { Meta }]) => [id, Meta?.[name] ?? '']))
  }

  /** What all checks of a service of this agent say together, or null where it is not registered. */
  async serviceStatus(id: string): Promise<Check['status'] | null> {
    try {
      await this.#send({
        method: 'GET',
        path: `/v1/agent/health/service/id/${encodeURIComponent(id)}?format=text`,
      })
    } catch (cause) {
      // The answer of a service that passes is a word, not JSON.
      if (cause instanceof SyntaxError) return 'passing'
      if (isNotFound(cause)) return null
      if (!(cause instanceof HttpError) || ![429, 503].includes(cause.statusCode))
        throw failureOf(`read the state of the service ${id}`, cause)
      return cause.statusCode === 503 ? 'critical' : 'warning'
    }
    return 'passing'
  }

  /** Registers a service of this agent with its check, see https://developer.hashicorp.com/consul/api-docs/agent/service. */
  async registerService(registration: { ID: string }): Promise<void> {
    const path = '/v1/agent/service/register'
    await this.#ask(`register the service ${registration.ID}`, { method: 'PUT', path, body: registration })
  }

  /** Lets this agent forget a service; one that it does not know is no failure. */
  async deregisterService(id: string): Promise<void> {
    const path = `/v1/agent/service/deregister/${encodeURIComponent(id)}`
    try {
      await this.#send({ method: 'PUT', path })
    } catch (cause) {
      if (!isNotFound(cause)) throw failureOf(`deregister the service ${id}`, cause)
    }
  }

  /** The names of all services of all machines. */
  async serviceNames(): Promise<string[]> {
    const path = '/v1/catalog/services?consistent'
    return Object.keys((await this.#ask('list the services', { method: 'GET', path })) as object)
  }

  /** A service of this agent, or null where it is not registered. */
  async #service(id: string): Promise<RawService | null> {
    try {
      const path = `/v1/agent/service/${encodeURIComponent(id)}`
      return (await this.#send({ method: 'GET', path })) as RawService
    } catch (cause) {
      if (isNotFound(cause)) return null
      throw failureOf(`read the service ${id}`, cause)
    }
  }

  #pathOf(key: Pick<Key<unknown>, 'path'>): string {
    return `/v1/kv/${encodeURIComponent(this.#prefix + key.path)}`
  }

  #nameBelow(key: Pick<Key<unknown>, 'path'>, path: string): string {
    return path.slice(this.#prefix.length + key.path.length)
  }

  #send(
    request: JsonRequest,
    question: Question = request.method === 'GET' ? 'ask' : 'none',
  ): Promise<unknown> {
    const { method, path, body } = request
    if (question === 'ask')
      keepQuestion(
        'consul',
        method,
        path.replace('?consistent', '?stale'),
        body === undefined ? '' : JSON.stringify(body),
      )
    if (question === 'none') keepNothing()
    return requestJson(this.#port, request, this.#timeoutMs)
  }

  async #ask(what: string, request: JsonRequest, question?: Question): Promise<unknown> {
    try {
      return await this.#send(request, question)
    } catch (cause) {
      throw failureOf(what, cause)
    }
  }
}

/** serf.StatusAlive */
const ALIVE = 1

interface RawCheck {
  Node: string
  CheckID: string
  ServiceName: string
  Status: Check['status']
  Output: string
}

interface RawMember {
  Name: string
  Addr: string
  Status: number
  Tags: Record<string, string>
}

interface RawService {
  Service: string
  Port: number
  Address: string
  Tags: string[] | null
  Meta: Record<string, string> | null
}

const encode = (value: unknown): string =>
  value === FILLED_IN ? 'VALUE' : Buffer.from(JSON.stringify(value)).toString('base64')
