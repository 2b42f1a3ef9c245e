import { isDeepStrictEqual } from 'node:util'
import { epochOf, type Leadership } from '../../../../lib/consul/leadership.ts'
import type { Primary } from '../../../../lib/consul/manifest.ts'
import { NOBODY } from '../../../../lib/postgresql/decide-durability.ts'
import type { Sync } from '../../../../lib/postgresql/manifest.ts'
import { NOW } from '../../support/documents.ts'

export type SessionKind = 'leader' | 'start'

/** Consul as far as the lock and what hangs on it go: https://developer.hashicorp.com/consul/docs/dynamic-app-config/sessions. */
export class ConsulModel {
  /** Every publication in its order. */
  readonly publications: Primary[]
  sync: Sync
  /** ModifyIndex of `sync`. */
  syncIndex = 1
  readonly #sessions = new Map<string, { node: string; kind: SessionKind }>()
  #made = 0
  #lock: { node: string; session: string | null; lockIndex: number; modifyIndex: number }

  constructor(first: Primary, sync: Sync) {
    this.publications = [first]
    this.sync = sync
    const session = this.session(first.node, 'leader')
    this.#lock = { node: first.node, session, lockIndex: first.epoch, modifyIndex: epochOf(first) }
  }

  /** The living session of this kind, made where there is none. */
  session(node: string, kind: SessionKind): string {
    const [existing] = this.sessions(node, kind)
    if (existing !== undefined) return existing
    this.#made += 1
    const id = `${node}-${kind}-${this.#made}`
    this.#sessions.set(id, { node, kind })
    return id
  }

  sessions(node: string, kind: SessionKind): string[] {
    return [...this.#sessions].filter(([, one]) => one.node === node && one.kind === kind).map(([id]) => id)
  }

  /** The living sessions of a machine that may hold the lock. */
  own(node: string): string[] {
    return [...this.sessions(node, 'leader'), ...this.sessions(node, 'start')]
  }

  /** Ends a session; what it held is released, with lock-delay 0. */
  expire(node: string, kind: SessionKind): void {
    for (const id of this.sessions(node, kind)) {
      this.#sessions.delete(id)
      this.release(id)
    }
  }

  get leadership(): Leadership {
    const { node, ...lock } = this.#lock
    return {
      leader: { value: { schema: 1, node, since: NOW, why: 'the model' }, ...lock },
      primary: this.publications.at(-1) ?? null,
    }
  }

  /**
   * check-index and lock, in one transaction. Taking a lock that one holds already changes its value only; the lock's own index
   * counts acquisitions.
   */
  acquire(node: string, session: string, seen: number): void {
    const { session: holder, lockIndex, modifyIndex } = this.#lock
    if (modifyIndex !== seen || !this.#sessions.has(session)) return
    if (holder !== null && holder !== session) return
    this.#lock = {
      node,
      session,
      lockIndex: holder === null ? lockIndex + 1 : lockIndex,
      modifyIndex: modifyIndex + 1,
    }
  }

  /** unlock and lock, in one transaction: the lock goes from a session of a machine to another of it. */
  adopt(node: string, from: string, to: string): void {
    if (this.release(from)) this.acquire(node, to, this.#lock.modifyIndex)
  }

  release(session: string): boolean {
    if (this.#lock.session !== session) return false
    this.#lock = { ...this.#lock, session: null, modifyIndex: this.#lock.modifyIndex + 1 }
    return true
  }

  /** check-session and check-index on the lock and compare-and-set, in one transaction; a new primary is for a time the only one that may lead. */
  publish(session: string, primary: Primary, replaces: Primary): void {
    if (this.#lock.session !== session || this.#lock.modifyIndex !== primary.index) return
    if (!isDeepStrictEqual(this.publications.at(-1), replaces)) return
    this.publications.push(primary)
    if (replaces.node === primary.node && replaces.timeline === primary.timeline) return
    this.sync = { schema: 1, node: primary.node, voters: [...NOBODY.voters], need: NOBODY.need }
    this.syncIndex += 1
  }

  /** The same for the rule of who may be promoted. */
  writeSync(session: string, sync: Sync, index: number): boolean {
    if (this.#lock.session !== session || this.syncIndex !== index) return false
    this.sync = sync
    this.syncIndex += 1
    return true
  }
}
