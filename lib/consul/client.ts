import Client from 'consul'
import * as v from 'valibot'
import { EXIT, UnderstudyError } from '../core/errors.ts'
import { requestJson } from '../core/http.ts'
import type { Key } from '../core/key.ts'
import { DEFAULT_PREFIX, type Entry } from './entry.ts'

/** A health check of the catalogue. */
export interface Check {
  node: string
  checkId: string
  service: string
  status: 'passing' | 'warning' | 'critical'
  output: string
}

/** One operation of a transaction, see https://developer.hashicorp.com/consul/api-docs/txn. */
export interface Operation {
  verb: 'set' | 'cas' | 'lock' | 'unlock' | 'check-session' | 'check-index' | 'check-not-exists' | 'delete'
  key: string
  value?: unknown
  index?: number
  session?: string
}

interface RawEntry {
  Key: string
  Value: string | null
  ModifyIndex: number
  LockIndex: number
  Session?: string
}

/**
 * The local Consul agent: typed keys, a deadline on every call. Reads throw {@link UnderstudyError} with `unavailable`
 * where Consul does not answer; what is expected to fail (a lost compare-and-set, a taken lock) is a value.
 */
export class Consul {
  readonly #client: Client
  readonly #prefix: string
  readonly #port: number
  readonly #timeoutMs: number

  constructor(options: { prefix?: string; port?: number; timeoutMs?: number } = {}) {
    this.#prefix = options.prefix ?? DEFAULT_PREFIX
    const { port = 8500, timeoutMs = 2000 } = options
    this.#port = port
    this.#timeoutMs = timeoutMs
    // `timeout` is papi's, the library below: an absolute deadline for each request.
    const settings = { host: '127.0.0.1', port, timeout: timeoutMs }
    this.#client = new Client(settings)
  }

  close(): void {
    this.#client.destroy()
  }

  /** A consistent read: the answer of a leader that has made sure it still is one. null where the key does not exist. */
  async get<T>(key: Key<T>): Promise<Entry<T> | null> {
    const request = { key: this.#prefix + key.path, consistent: true }
    const raw = await this.#ask(`read ${key.path}`, () => this.#client.kv.get(request))
    return raw ? parse(key, raw as unknown as RawEntry) : null
  }

  /** A read from whichever server answers, also without a leader: for people, never for decisions. */
  async getStale<T>(key: Key<T>): Promise<Entry<T> | null> {
    const request = { key: this.#prefix + key.path, stale: true }
    const raw = await this.#ask(`read ${key.path}`, () => this.#client.kv.get(request))
    return raw ? parse(key, raw as unknown as RawEntry) : null
  }

  /** All entries below a prefix key (one that ends in "/"), by the rest of their key. Stale reads allowed. */
  async list<T>(key: Key<T>): Promise<Map<string, Entry<T>>> {
    return new Map((await this.#list(key, { stale: true })).map(([name, raw]) => [name, parse(key, raw)]))
  }

  /**
   * The same by a consistent read, where one malformed entry must not hide the others.
   * @returns what is ours, and the names of those that hold something else.
   */
  async listValid<T>(key: Key<T>): Promise<{ valid: Map<string, T>; malformed: string[] }> {
    const valid = new Map<string, T>()
    const malformed: string[] = []
    for (const [name, raw] of await this.#list(key, { consistent: true })) {
      try {
        valid.set(name, parse(key, raw).value)
      } catch {
        malformed.push(name)
      }
    }
    return { valid, malformed }
  }

  async #list(
    key: Key<unknown>,
    mode: { stale: true } | { consistent: true },
  ): Promise<[string, RawEntry][]> {
    const request = { key: this.#prefix + key.path, recurse: true, ...mode }
    const raw = await this.#ask(`list ${key.path}`, () => this.#client.kv.get(request))
    const start = this.#prefix.length + key.path.length
    return ((raw ?? []) as unknown as RawEntry[]).map((entry) => [entry.Key.slice(start), entry])
  }

  /** Writes whatever was there. */
  async set<T>(key: Key<T>, value: T): Promise<void> {
    await this.#ask(`write ${key.path}`, () =>
      this.#client.kv.set(this.#prefix + key.path, JSON.stringify(value)),
    )
  }

  async delete(key: Key<unknown>): Promise<void> {
    await this.#ask(`delete ${key.path}`, () => this.#client.kv.del(this.#prefix + key.path))
  }

  /**
   * Writes only if the key has not changed since `modifyIndex` (0: does not exist).
   * @returns false where somebody was quicker.
   */
  async compareAndSet<T>(key: Key<T>, value: T, modifyIndex: number): Promise<boolean> {
    const request = { key: this.#prefix + key.path, value: JSON.stringify(value), cas: modifyIndex }
    return (await this.#ask(`write ${key.path}`, () => this.#client.kv.set(request))) === true
  }

  /**
   * Takes a key as a lock and writes its value, only if nobody has touched it since `modifyIndex` (0: does not exist): whoever
   * decides to take it and is slow must not take it after others have had it.
   * @returns false where somebody was quicker, or another session holds it.
   */
  async acquire<T>({ path: key }: Key<T>, value: T, session: string, modifyIndex: number): Promise<boolean> {
    return this.transaction([
      modifyIndex === 0
        ? { verb: 'check-not-exists', key }
        : { verb: 'check-index', key, index: modifyIndex },
      { verb: 'lock', key, value, session },
    ])
  }

  /** Gives a lock back; the key keeps its value. @returns false where the session did not hold it. */
  async release<T>(key: Key<T>, value: T, session: string): Promise<boolean> {
    const request = { key: this.#prefix + key.path, value: JSON.stringify(value), release: session }
    return (await this.#ask(`release the lock ${key.path}`, () => this.#client.kv.set(request))) === true
  }

  /** All operations or none. @returns false where one of the conditions did not hold. */
  async transaction(operations: readonly Operation[]): Promise<boolean> {
    const request = operations.map(({ verb, key, value, index, session }) => ({
      KV: {
        Verb: verb,
        Key: this.#prefix + key,
        ...(value === undefined ? {} : { Value: Buffer.from(JSON.stringify(value)).toString('base64') }),
        ...(index === undefined ? {} : { Index: index }),
        ...(session === undefined ? {} : { Session: session }),
      },
    }))
    return this.#ask('run a transaction', async () => {
      try {
        await this.#client.transaction.create(request as never)
        return true
      } catch (error) {
        // 409: rolled back, with the conditions that failed in the body.
        if ((error as { statusCode?: number }).statusCode === 409) return false
        throw error
      }
    })
  }

  /** Creates a session of this agent. It dies with any of its checks; keys it holds are released, not deleted. */
  async createSession(options: {
    name: string
    nodeChecks: string[]
    serviceChecks: string[]
    ttlSeconds?: number
  }): Promise<string> {
    // Not by the library: it drops the checks without a word, and the session would outlive the database.
    const body = {
      Name: options.name,
      Behavior: 'release',
      LockDelay: '0s',
      NodeChecks: options.nodeChecks,
      ServiceChecks: options.serviceChecks.map((ID) => ({ ID })),
      ...(options.ttlSeconds === undefined ? {} : { TTL: `${options.ttlSeconds}s` }),
    }
    const made = await this.#ask(`create the session ${options.name}`, () =>
      requestJson(this.#port, { method: 'PUT', path: '/v1/session/create', body }, this.#timeoutMs),
    )
    return (made as { ID: string }).ID
  }

  /** The living sessions of a node. */
  async sessions(node: string): Promise<{ id: string; name: string }[]> {
    const found = await this.#ask('list sessions', () =>
      this.#client.session.node({ node, ...{ consistent: true } }),
    )
    return found.map((session) => ({ id: session.ID, name: session.Name }))
  }

  async destroySession(id: string): Promise<void> {
    await this.#ask('destroy a session', () => this.#client.session.destroy(id))
  }

  /** Every health check of every node, as far as the servers know. */
  async checks(): Promise<Check[]> {
    const request = { state: 'any' as const, stale: true }
    const found = await this.#ask('list health checks', () => this.#client.health.state(request))
    return found.map((check) => ({
      node: check.Node,
      checkId: check.CheckID,
      service: check.ServiceName,
      status: check.Status,
      output: check.Output,
    }))
  }

  /** Says how a check of this agent is that has nothing but a time to live. */
  async setCheck(id: string, status: 'passing' | 'warning', output: string): Promise<void> {
    const request = { id, note: output }
    const { check } = this.#client.agent
    await this.#ask(`set the check ${id}`, () =>
      status === 'passing' ? check.pass(request) : check.warn(request),
    )
  }

  /** Address of the current leader, or null: there is no quorum. */
  async leader(): Promise<string | null> {
    return (await this.#ask('ask for the leader', () => this.#client.status.leader())) || null
  }

  /** Members of the gossip pool as this agent sees them. */
  async members(): Promise<
    { name: string; address: string; alive: boolean; server: boolean; version: string }[]
  > {
    const found = await this.#ask('list members', () => this.#client.agent.members())
    return (found as { Name: string; Addr: string; Status: number; Tags: Record<string, string> }[]).map(
      (member) => ({
        name: member.Name,
        address: member.Addr,
        // serf.StatusAlive
        alive: member.Status === 1,
        server: member.Tags['role'] === 'consul',
        version: (member.Tags['build'] ?? '').split(':')[0] ?? '',
      }),
    )
  }

  /** Lets this agent's gossip look for a member at this address. */
  async join(address: string): Promise<void> {
    await this.#ask(`join ${address}`, () => this.#client.agent.join(address))
  }

  /** The tags of a service of this agent, or null where it is not registered. */
  async serviceTags(id: string): Promise<string[] | null> {
    const services = await this.#ask('list services', () => this.#client.agent.service.list())
    return (services as Record<string, { Tags: string[] | null }>)[id]?.Tags ?? (id in services ? [] : null)
  }

  /** Registers a service of this agent again with other tags; its checks and their state stay as they are. */
  async setServiceTags(id: string, tags: string[]): Promise<void> {
    const services = await this.#ask('list services', () => this.#client.agent.service.list())
    const found = (services as Record<string, { Service: string; Port: number; Address: string }>)[id]
    if (!found)
      throw new UnderstudyError(EXIT.unavailable, `could not tag the service ${id}: Consul does not know it`)
    const request = { id, name: found.Service, port: found.Port, address: found.Address, tags }
    await this.#ask(`tag the service ${id}`, () => this.#client.agent.service.register(request))
  }

  async #ask<T>(what: string, call: () => Promise<T>): Promise<T> {
    try {
      return await call()
    } catch (cause) {
      throw new UnderstudyError(EXIT.unavailable, `could not ${what} in Consul`, { cause })
    }
  }
}

function parse<T>(key: Key<T>, raw: RawEntry): Entry<T> {
  try {
    return {
      value: v.parse(key.schema, JSON.parse(raw.Value ?? 'null')),
      modifyIndex: raw.ModifyIndex,
      lockIndex: raw.LockIndex,
      session: raw.Session ?? null,
    }
  } catch (cause) {
    throw new UnderstudyError(EXIT.data, `Consul's key ${raw.Key} holds something that is not ours`, {
      cause,
    })
  }
}
