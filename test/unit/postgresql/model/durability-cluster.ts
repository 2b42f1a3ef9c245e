import assert from 'node:assert/strict'
import type { DurabilityMode } from '../../../../lib/consul/manifest.ts'
import {
  type CommitRule,
  commitRule,
  type DurabilityFacts,
  decideDurability,
  type ElectionRule,
  HOLD,
  isSafe,
  isSynchronous,
  NO_WAIT,
  NOBODY,
  sameCommit,
} from '../../../../lib/postgresql/decide-durability.ts'
import { DurabilityConsul } from './durability-consul.ts'
import { common, isBeginning, type Member, newMember, type Upkeep } from './durability-member.ts'

export interface Start {
  size: number
  mode: DurabilityMode
  /** What n1, the first primary, starts with: just promoted, alone for long, or commits did not wait until now. */
  from: 'promoted' | 'alone' | 'async'
}

/** What is tested, and what may be broken to see that the test would notice. */
export interface Rules {
  decide: typeof decideDurability
  /** A commit rule is set only after the document was written again. */
  touches: boolean
  /** For a commit rule to count as in effect, these must be seen to have taken it over. */
  proves: 'nothing' | 'checkpointer' | 'all'
  /** A machine is a member while it is registered with repmgr, also if it is missing from the list in Consul. */
  registers: boolean
  /** The two rules are compared after every event; else only what comes of them is seen. */
  compares: boolean
}

export const RULES: Rules = {
  decide: decideDurability,
  touches: true,
  proves: 'all',
  registers: true,
  compares: true,
}

/** A primary, its standbys and Consul, in which every step may fail or come late; the rules in force are the real ones. */
export class DurabilityCluster {
  readonly machines: readonly Member[]
  readonly consul: DurabilityConsul
  /** Those that repmgr knows. Only who leaves is no longer registered. */
  readonly #registered: Set<string>
  readonly #mode: DurabilityMode
  readonly #rules: Rules
  readonly #acknowledged = new Set<number>()
  /** Those of them that must not be lost. */
  readonly #promised = new Set<number>()
  #written = 0

  constructor({ size, mode, from }: Start, rules: Rules) {
    const names = Array.from({ length: size }, (_, index) => `n${index + 1}`)
    const others = names.slice(1)
    this.#mode = mode
    this.#rules = rules
    this.#registered = new Set(names)
    this.machines = names.map((node) => newMember(node, 'n1'))
    this.member('n1').commit = from === 'promoted' ? commitRule(others) : NO_WAIT
    this.#restart(this.member('n1'))
    this.consul = new DurabilityConsul(names, from === 'async' ? { voters: others, need: 1 } : NOBODY)
  }

  member(node: string): Member {
    const found = this.machines.find((machine) => machine.node === node)
    assert.ok(found)
    return found
  }

  get published(): Member {
    return this.member(this.consul.published)
  }

  get promised(): number {
    return this.#promised.size
  }

  get members(): string[] {
    return this.machines.map(({ node }) => node).filter((node) => this.#registered.has(node))
  }

  /** Are there enough members for a commit to wait? */
  get waits(): boolean {
    return isSynchronous(this.#mode, this.members.length)
  }

  /** A standby leaves the cluster, or comes back as a member. */
  join(self: Member): void {
    const leaves = this.#registered.has(self.node) && self !== this.published
    // A join takes many seconds: longer than a step that was decided before it, or a write that is on its way.
    if (!leaves) this.#passTime()
    for (const set of [this.consul.members, this.#registered])
      if (leaves) set.delete(self.node)
      else set.add(self.node)
  }

  #passTime(): void {
    this.consul.settleAll()
    for (const machine of this.machines) machine.upkeep = { at: 'start' }
    this.check()
  }

  streams(self: Member, primary: Member): boolean {
    if (!self.up || self.primary || self.receiverStopped || !self.linked || self.upstream !== primary.node)
      return false
    return primary.up && primary.primary
  }

  link(self: Member): void {
    if (self.primary || self.upstream === null || !self.up) return
    // PostgreSQL streams only what continues the history that is there.
    const upstream = this.member(self.upstream)
    if (!self.linked) upstream.senders.set(self.node, upstream.commit)
    self.linked = isBeginning(self.wal, upstream.wal)
  }

  write(self: Member): void {
    if (!self.up || !self.primary) return
    this.#written += 1
    self.wal.push(this.#written)
  }

  flush(self: Member, commits: number): void {
    if (self.upstream === null) return
    const upstream = this.member(self.upstream)
    if (this.streams(self, upstream)) self.wal = upstream.wal.slice(0, self.wal.length + commits)
  }

  /** The database and the run of the upkeep die; nothing that is on disk is lost. */
  crash(self: Member): void {
    self.up = false
    this.#disconnect(self)
  }

  /** All of its processes are new, and know what is set. */
  #restart(self: Member): void {
    self.waits = self.commit.count > 0
    for (const { node } of this.machines) self.senders.set(node, self.commit)
  }

  start(self: Member): void {
    if (!self.up) this.#restart(self)
    self.up = true
  }

  /** One of a server's processes takes over what is set: the checkpointer, or the WAL sender of a standby. */
  takeOver(self: Member, process: 'checkpointer' | Member): void {
    if (process === 'checkpointer') self.waits = self.commit.count > 0
    else self.senders.set(process.node, self.commit)
  }

  takeAllOver(self: Member): void {
    for (const process of ['checkpointer', ...this.machines] as const) this.takeOver(self, process)
  }

  /** The rules by which a server may acknowledge a commit at this moment. */
  #inEffect(self: Member): CommitRule[] {
    if (!self.waits) return [NO_WAIT]
    const rules = [...self.senders].filter(([node]) => this.streams(this.member(node), self))
    return rules.flatMap(([node, rule]) => (rule.standbys.includes(node) ? [rule] : []))
  }

  /** The run of the upkeep dies. */
  kill(self: Member): void {
    self.upkeep = { at: 'start' }
    self.proven = null
  }

  #disconnect(self: Member): void {
    this.kill(self)
    self.linked = false
    for (const standby of this.machines) if (standby.upstream === self.node) standby.linked = false
  }

  mark(self: Member): void {
    if (self.up && self.primary) self.upkeep = { at: 'marked', commit: self.commit, written: self.wal.length }
  }

  /** @param lacks which members are missing from the list that it sees, as in a stale answer. */
  decide(self: Member, patient: boolean, lacks: (node: string) => boolean = () => false): void {
    const { consul } = this
    const isListed = (node: string): boolean => consul.members.has(node) && !lacks(node)
    const members = this.members.filter(
      (node) => node === self.node || this.#rules.registers || isListed(node),
    )
    const { upkeep } = self
    self.upkeep = { at: 'start' }
    if (upkeep.at !== 'marked' || self.cut || consul.holder !== self.node || consul.published !== self.node)
      return
    const standbys = this.machines.filter((one) => members.includes(one.node) && this.streams(one, self))
    const facts: DurabilityFacts = {
      node: self.node,
      members,
      mode: this.#mode,
      commit: upkeep.commit,
      election: consul.election,
      streaming: standbys.map(({ node }) => node),
      level: standbys.filter(({ wal }) => wal.length >= upkeep.written).map(({ node }) => node),
      alone: standbys.length === 0 && !patient,
      proven:
        this.#rules.proves === 'nothing' || (self.proven !== null && sameCommit(self.proven, upkeep.commit)),
    }
    const plan = this.#rules.decide(facts)
    if (plan.do !== 'nothing')
      self.upkeep = {
        ...{ at: 'decided', plan, session: consul.session, index: consul.index },
        former: self.commit,
      }
  }

  /** The next part of a step: a commit rule takes three. */
  act(self: Member, late: boolean): void {
    const { upkeep } = self
    self.upkeep = { at: 'start' }
    if (upkeep.at === 'start' || upkeep.at === 'marked') return
    const { plan, session, index } = upkeep
    const write = (election: ElectionRule) => ({ node: self.node, election, session, index })
    if (plan.do === 'commit' && (upkeep.at !== 'decided' || !this.#rules.touches))
      this.#setCommit(self, plan.commit, upkeep)
    else if (self.cut) return
    else if (plan.do === 'elect' && late) this.consul.send(write(plan.election))
    else if (plan.do === 'elect') this.consul.write(write(plan.election))
    else if (plan.do === 'commit' && this.consul.write(write(this.consul.election)))
      self.upkeep = { ...upkeep, at: 'touched' }
  }

  /** As setCommitRule of lib/postgresql/apply-commit-rule.ts. */
  #setCommit(
    self: Member,
    commit: CommitRule,
    upkeep: Upkeep & { at: 'decided' | 'touched' | 'held' },
  ): void {
    if (commit.count === 0 || this.#rules.proves === 'nothing') self.commit = commit
    else if (upkeep.at === 'held') {
      const isHeld =
        self.waits && (this.#rules.proves === 'checkpointer' || this.#inEffect(self).length === 0)
      self.commit = isHeld ? commit : upkeep.former
      self.proven = isHeld ? commit : null
    } else if (self.commit.count > 0 || !self.waits) {
      self.commit = HOLD
      self.upkeep = { ...upkeep, at: 'held' }
    }
  }

  /** The published primary may always come back. */
  retake(self: Member): void {
    if (self.up && self.primary && !self.cut && self === this.published) this.consul.acquire(self.node)
  }

  stand(self: Member): void {
    if (!self.up || self.primary) return
    self.receiverStopped = true
    self.linked = false
  }

  /** Takes the free lock and, where the document permits it, is promoted. `sees`: of which machines it gets an answer. */
  elect(self: Member, sees: (node: string) => boolean): void {
    const { consul } = this
    if (!self.up || self.cut || self.primary || !self.receiverStopped) return
    if (!this.#registered.has(self.node)) return
    consul.acquire(self.node)
    const { voters, need } = consul.election
    if (consul.holder !== self.node || !voters.includes(self.node)) return
    const seen = voters.map((node) => this.member(node)).filter((one) => one === self || sees(one.node))
    const still = seen.filter((one) => one.up && one.receiverStopped && !one.primary)
    if (still.length < need || still.some(({ wal }) => wal.length > self.wal.length)) return
    this.#assertHasAll(self, 'was elected')
    self.primary = true
    self.promoted = consul.session
    self.upstream = null
    self.commit = commitRule(this.members.filter((node) => node !== self.node))
  }

  publish(self: Member): void {
    if (!self.up || self.cut || self.promoted === null) return
    if (this.#rules.proves !== 'nothing' && self.commit.count > 0 && !self.waits) return
    if (this.consul.publish(self.node, self.promoted)) self.promoted = null
  }

  /** Rewound where it must be, and pointed at the published primary. */
  rejoin(self: Member): void {
    const { published } = this
    if (self === published || !self.up || !published.up || !published.primary) return
    // A WAL receiver that has stopped stays so until there is a primary again, a new one or the same.
    if (self.receiverStopped && self.upstream === published.node && this.consul.holder !== published.node)
      return
    if (self.primary || !isBeginning(self.wal, published.wal)) this.#disconnect(self)
    self.wal = common(self.wal, published.wal)
    Object.assign(self, { primary: false, promoted: null, safe: false })
    Object.assign(self, { upstream: published.node, linked: true, receiverStopped: false })
    published.senders.set(self.node, published.commit)
  }

  /** Acknowledges whatever may be by now, and sees whether anything is wrong. */
  check(): void {
    const { published, consul } = this
    const all = [published.commit, ...this.#inEffect(published)]
    const isNowSafe = consul.author === published.node && all.every((rule) => isSafe(rule, consul.election))
    const rules = (): string => JSON.stringify([all, consul.election])
    // With too few members commits do not wait, and then a standby may be named all the same: once they have stopped waiting.
    const promisesNothing = !this.waits && published.commit.count === 0 && !published.waited
    if (this.#rules.compares)
      assert.ok(isNowSafe || !published.safe || promisesNothing, `not safe any more: ${rules()}`)
    published.safe = !promisesNothing && (isNowSafe || published.safe)
    published.waited = published.commit.count > 0
    for (const primary of this.machines) if (primary.up && primary.primary) this.#acknowledge(primary)
    this.#assertHasAll(published, 'is published')
  }

  #acknowledge(primary: Member): void {
    const { consul } = this
    const onDisk = this.#inEffect(primary).map((rule) => this.#onDisk(primary, rule))
    for (const commit of primary.wal.slice(0, Math.max(0, ...onDisk))) {
      if (this.#acknowledged.has(commit)) continue
      this.#acknowledged.add(commit)
      if (!primary.safe) continue
      this.#promised.add(commit)
      assert.equal(primary.node, consul.published, `${primary.node} was replaced and acknowledges`)
      const newer = this.machines.find(
        ({ node, promoted }) => promoted !== null && consul.holds(node, promoted),
      )
      assert.equal(newer, undefined, `${primary.node} acknowledges after ${newer?.node} was elected`)
    }
  }

  /** How much of its WAL a primary takes to be on disk on enough standbys. */
  #onDisk(primary: Member, { standbys, count }: CommitRule): number {
    if (count === 0) return primary.wal.length
    const flushed = standbys
      .map((node) => this.member(node))
      .filter((standby) => this.streams(standby, primary) && this.#isCounted(standby, primary))
      .map(({ wal }) => wal.length)
      .sort((one, other) => other - one)
    return flushed[count - 1] ?? 0
  }

  /** Does the WAL sender of a standby take it for one that commits wait for? */
  #isCounted({ node }: Member, primary: Member): boolean {
    return primary.senders.get(node)?.standbys.includes(node) === true
  }

  #assertHasAll({ node, wal }: Member, what: string): void {
    const has = new Set(wal)
    for (const commit of this.#promised)
      assert.ok(has.has(commit), `${node} ${what} without commit ${commit}`)
  }
}
