import { setTimeout as pause } from 'node:timers/promises'
import type { Client } from 'pg'
import { EXIT, UnderstudyError } from '../core/errors.ts'
import { type Connection, inSession, openSession, type Target } from './client.ts'

/** How long a login may take, also after the look that has begun it. */
const LOGIN_MS = 2000

/**
 * Sessions for the looks of one run. At a failover every member asks every other one, on machines that are busy with the same event: a
 * login that is late goes on, for the next look. A login also costs both sides ten times as much as what is asked, so a session stays
 * open for the looks that follow. But it may answer with a setting of before for a moment after a reload, which a new one does not.
 */
export class Sessions {
  readonly #logins = new Map<string, Promise<Client>>()
  readonly #each: 'kept' | 'asked once'

  /** @param each whether a session stays open after it has answered. */
  constructor(each: 'kept' | 'asked once') {
    this.#each = each
  }

  /** As {@link withDatabase}, with the login of an earlier look if there is one. */
  async with<T>(target: Target, timeoutMs: number, work: (connection: Connection) => Promise<T>): Promise<T> {
    const deadline = performance.now() + timeoutMs
    const name = [target.host, target.port, target.user, target.database].join(' ')
    const before = this.#logins.get(name)
    const login = before ?? this.#logIn(name, target)
    const client = await Promise.race([login, late(target, timeoutMs)])
    const end = (): void => {
      this.#logins.delete(name)
      client.end().catch(() => {})
    }
    try {
      return await inSession(client, target, deadline, work)
    } catch (error) {
      if (!isLost(error)) throw error
      end()
      const left = deadline - performance.now()
      if (!before || left <= 0) throw error
      // It has ended since the look before, as when PostgreSQL was started again.
      return this.with(target, left, work)
    } finally {
      // Also after an error that the server has answered.
      if (this.#each === 'asked once' && this.#logins.get(name) === login) end()
    }
  }

  #logIn(name: string, target: Target): Promise<Client> {
    const login = openSession(target, LOGIN_MS)
    this.#logins.set(name, login)
    login.catch(() => this.#logins.delete(name))
    return login
  }
}

const isLost = (error: unknown): boolean =>
  error instanceof UnderstudyError && error.exitCode === EXIT.unavailable

async function late({ database, host, port, user }: Target, timeoutMs: number): Promise<never> {
  await pause(timeoutMs, undefined, { ref: false })
  throw new UnderstudyError(
    EXIT.unavailable,
    `could not connect to ${database} at ${host}:${port} as ${user} within ${Math.round(timeoutMs)} ms`,
  )
}
