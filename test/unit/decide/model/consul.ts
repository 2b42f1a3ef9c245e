import { isDeepStrictEqual } from 'node:util'
import { NOBODY } from '../../../../lib/decide/durability.ts'
import type { Leadership } from '../../../../lib/decide/facts.ts'
import type { Primary, Sync } from '../../../../lib/kv.ts'
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
  #lock: { node: string; session: string | null; lockIndex: number }

  constructor(first: Primary, sync: Sync) {
    this.publications = [first]
    this.sync = sync
    this.#lock = { node: first.node, session: this.session(first.node, 'leader'), lockIndex: first.epoch }
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
      if (this.#lock.session === id) this.#lock.session = null
    }
  }

  get leadership(): Leadership {
    const { node, session, lockIndex } = this.#lock
    return {
      leader: {
        value: { schema: 1, node, since: NOW, why: 'the model' },
        modifyIndex: 0,
        lockIndex,
        session,
      },
      primary: this.publications.at(-1) ?? null,
    }
  }

  /** Taking a lock that one holds already changes its value only; the index counts acquisitions. */
  acquire(node: string, session: string): void {
    const { session: holder, lockIndex } = this.#lock
    if (!this.#sessions.has(session) || (holder !== null && holder !== session)) return
    this.#lock = { node, session, lockIndex: holder === null ? lockIndex + 1 : lockIndex }
  }

  release(session: string): boolean {
    if (this.#lock.session !== session) return false
    this.#lock = { ...this.#lock, session: null }
    return true
  }

  /** check-session on the lock and compare-and-set, in one transaction; a new primary is for a time the only one that may lead. */
  publish(session: string, primary: Primary, replaces: Primary): void {
    if (this.#lock.session !== session || !isDeepStrictEqual(this.publications.at(-1), replaces)) return
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
