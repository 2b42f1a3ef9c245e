import assert from 'node:assert/strict'
import { currentPrimary } from '../../../../lib/consul/leadership.ts'
import type { DurabilityMode } from '../../../../lib/consul/manifest.ts'
import { UNKNOWN, type Unknown } from '../../../../lib/core/unknown.ts'
import {
  commitRule,
  type DurabilityFacts,
  decideDurability,
  isSynchronous,
  NO_WAIT,
  NOBODY,
} from '../../../../lib/postgresql/decide-durability.ts'
import {
  AGENT_AWAY_MS,
  decideFailover,
  type FailoverFacts,
  type FailoverPlan,
  GIVE_WAY_MS,
  SILENT_MS,
  SILENT_VOTERS_MS,
  TAKE_BACK_MS,
} from '../../../../lib/postgresql/decide-failover.ts'
import { decideFence, FENCE_AFTER_MS } from '../../../../lib/postgresql/decide-fence.ts'
import { decideFollow, type FollowFacts } from '../../../../lib/postgresql/decide-follow.ts'
import type { Lineage } from '../../../../lib/postgresql/decide-lineage.ts'

import { decideRejoin, isUnpublished } from '../../../../lib/postgresql/decide-rejoin.ts'
import {
  decideStartGate,
  mayHaveConfirmed,
  SILENT_MEMBER_MS,
  type StartEvidence,
} from '../../../../lib/postgresql/decide-start-gate.ts'

import type { LocalDatabase, ProbedDatabase } from '../../../../lib/postgresql/role.ts'
import { published } from '../../support/documents.ts'
import { ConsulModel } from './consul.ts'
import { Ledger } from './ledger.ts'
import { type Machine, newMachine, tell } from './machine.ts'
import { isBeginning, lineage, rewound, timelineOf } from './wal.ts'

/** What is tested, and what may be broken to see that the test would notice. */
export interface Rules {
  failover: typeof decideFailover
  /** Replication is pointed only at who is still the primary. */
  looksBeforeItPoints: boolean
  /** What was promoted and not published is copied anew. */
  marksPromotion: boolean
  /** A promotion leaves no slot to a standby that points there already: it streams only what is published. */
  evictsStandbys: boolean
}

export const RULES: Rules = {
  failover: decideFailover,
  looksBeforeItPoints: true,
  marksPromotion: true,
  evictsStandbys: true,
}

export interface Start {
  size: number
  mode: DurabilityMode
}

/** Why a run of the gate on a primary has nothing left to do. */
export const HOLDS_LOCK = 'this machine is the primary and holds the lock'

/** What dies with a machine. */
const IDLE = { failover: null, gate: null, repair: null, waitedMs: 0 } as const

/**
 * Machines that run the real decisions against a model of Consul and of their databases. Looking and acting are steps of
 * their own, so that everything may change between them.
 */
export class Cluster {
  readonly consul: ConsulModel
  readonly machines: readonly Machine[]
  readonly ledger: Ledger
  readonly mode: DurabilityMode
  readonly #rules: Rules
  #written = 0

  constructor({ size, mode }: Start, rules: Rules = RULES) {
    const names = Array.from({ length: size }, (_, index) => `n${index + 1}`)
    const others = names.slice(1)
    const waits = isSynchronous(mode, size)
    const commit = waits ? commitRule(others) : NO_WAIT
    const need = waits ? others.length - commit.count + 1 : 1
    this.mode = mode
    this.#rules = rules
    this.machines = names.map((_, index) => newMachine(index + 1, index === 0 ? commit : NO_WAIT))
    this.consul = new ConsulModel(published('n1', 1, 1), {
      schema: 1,
      node: 'n1',
      voters: others,
      need,
      waits,
    })
    this.ledger = new Ledger(this, waits)
  }

  machine(node: string | undefined): Machine {
    return this.machines.find((one) => one.node === node) ?? assert.fail(`there is no ${node}`)
  }

  others(self: Machine): string[] {
    return this.machines.filter((one) => one !== self).map(({ node }) => node)
  }

  /** The one that was published last. */
  get published(): Machine {
    return this.machine(this.consul.publications.at(-1)?.node)
  }

  /** The one that clients are sent to, where it really runs as the primary. */
  serving(): Machine | null {
    const primary = currentPrimary(this.consul.leadership)
    const machine = this.machines.find(({ node }) => node === primary?.node)
    return machine?.role === 'primary' && !machine.recovering && timelineOf(machine.wal) === primary?.timeline
      ? machine
      : null
  }

  #away({ powered, isolated, cut }: Machine): boolean {
    return !powered || isolated || cut
  }

  facts(self: Machine): FailoverFacts {
    const away = this.#away(self)
    const { leader, primary } = this.consul.leadership
    const leading = this.published
    return {
      self: { node: self.node, repmgrId: self.id, vipPriority: 100 - self.id, leadsConsul: false },
      leader: away ? UNKNOWN : leader,
      ownSessions: away ? UNKNOWN : this.consul.own(self.node),
      startSessions: this.consul.sessions(self.node, 'start'),
      primary: away ? UNKNOWN : primary,
      sync: away ? UNKNOWN : this.consul.sync,
      confirmed: null,
      local: this.#local(self),
      primaryDatabase: leading === self ? UNKNOWN : this.probe(self, leading),
      silentMs: SILENT_MS,
      hasAnswered: false,
      peers: this.machines
        .filter((peer) => peer !== self && peer !== leading)
        .map((peer) => ({
          node: peer.node,
          repmgrId: peer.id,
          vipPriority: 100 - peer.id,
          leadsConsul: false,
          healthy: !this.#away(peer) && peer.role !== 'down' && !peer.recovering,
          database: this.probe(self, peer),
        })),
      waitedMs: self.waitedMs,
      heldMs: self.waitedMs < TAKE_BACK_MS ? 0 : SILENT_VOTERS_MS,
      ...{ promotionFailed: false, primaryFails: false },
      unlockedMs: self.waitedMs < TAKE_BACK_MS ? 0 : AGENT_AWAY_MS,
    }
  }

  #reaches(from: Machine, to: Machine): boolean {
    return from.powered && to.powered && !from.isolated && !to.isolated && to.role !== 'down'
  }

  probe(from: Machine, to: Machine): ProbedDatabase | Unknown {
    if (!this.#reaches(from, to) || to.muted) return UNKNOWN
    if (to.recovering) return { role: 'alive', sqlstate: '57P03', says: 'recovers' }
    return to.full ? { role: 'alive', sqlstate: '53300', says: 'no connection left' } : tell(to)
  }

  /** For repmgr, as a superuser, there is always a connection left. */
  #letsIn(from: Machine, to: Machine): boolean {
    return this.#reaches(from, to) && !to.muted && !to.recovering
  }

  /** As an administrator on the machine sees it, for whom there is always a connection left. */
  #local(self: Machine): LocalDatabase | Unknown {
    return self.recovering ? UNKNOWN : tell(self)
  }

  /** The processes of a running primary crash, and the server begins to recover. */
  recover(self: Machine): void {
    if (self.role !== 'primary') return
    this.crash(self, true)
    Object.assign(self, { role: 'primary', recovering: true })
  }

  look(self: Machine): void {
    if (!self.powered) return
    self.failover = this.#rules.failover(this.facts(self))
  }

  act(self: Machine): void {
    const plan = self.failover
    self.failover = null
    if (!self.powered || !plan) return
    if (plan.do === 'promote') this.#promote(self)
    else if (plan.do === 'stop-receiver') this.#point(self, null)
    else if (plan.do === 'stop-other-receivers') this.#stopOtherReceivers(self, plan.nodes)
    else if (!this.#away(self)) this.#write(self, plan)
    if (plan.do === 'wait' || plan.do === 'watch' || plan.do === 'stop-other-receivers')
      self.waitedMs += GIVE_WAY_MS / 3
    if (plan.do !== 'settled' && plan.do !== 'leave') return
    self.waitedMs = 0
    // What was to become a promotion did not, or is published.
    if (plan.why === HOLDS_LOCK || !this.#isUnpublished(self)) self.promotedFrom = null
  }

  #promote(self: Machine): void {
    if (self.role !== 'standby') return
    self.commit = isSynchronous(this.mode, this.machines.length) ? commitRule(this.others(self)) : NO_WAIT
    self.promotedFrom = this.#rules.marksPromotion ? timelineOf(self.wal) : null
    self.role = 'primary'
    self.standbySignal = false
    self.upstream = null
    self.linked = false
    this.#log(self, timelineOf(self.wal) + 1, null)
  }

  #log(self: Machine, timeline: number, by: string | null): void {
    this.#written += 1
    self.wal = [...self.wal, { id: this.#written, timeline, by }]
  }

  #point(self: Machine, upstream: string | null): void {
    if (self.role !== 'standby') return
    self.upstream = upstream
    self.linked = false
  }

  /** Consul says where the others are. */
  #stopOtherReceivers(self: Machine, nodes: readonly string[]): void {
    if (this.#away(self)) return
    for (const other of this.machines)
      if (nodes.includes(other.node) && this.#letsIn(self, other)) this.#point(other, null)
  }

  #write(self: Machine, plan: FailoverPlan): void {
    const { consul } = this
    // Consul makes no session for a database whose check fails.
    const leader = (): string | null =>
      self.role === 'down' || self.recovering ? null : consul.session(self.node, 'leader')
    if (plan.do === 'unlock') consul.release(plan.session)
    if (plan.do === 'publish') {
      const { lockIndex: epoch, modifyIndex: index } = plan.lock
      const primary = { ...published(self.node, plan.timeline, epoch), index }
      consul.publish(plan.session, primary, plan.replaces)
    }
    if (plan.do !== 'lock' && plan.do !== 'adopt') return
    const session = leader()
    if (session === null) return
    if (plan.do === 'lock') consul.acquire(self.node, session, plan.modifyIndex)
    else consul.adopt(self.node, plan.session, session)
  }

  /** systemd starts PostgreSQL: the start gate looks. */
  lookBeforeStart(self: Machine): void {
    if (!self.powered || self.role !== 'down' || self.stopped) return
    const { standbySignal, node } = self
    const away = this.#away(self)
    self.gate = decideStartGate({
      ours: true,
      node,
      elsewhere: null,
      standbySignal,
      starts: null,
      leadership: away ? UNKNOWN : this.consul.leadership,
      ownSessions: away ? UNKNOWN : this.consul.own(node),
      traces: null,
      compared: false,
      evidence: this.#evidence(self),
      waitedMs: SILENT_MEMBER_MS,
    })
  }

  /** What the standbys that answer have, where their timeline was published. */
  #evidence(self: Machine): StartEvidence {
    const { timeline } = this.consul.leadership.primary ?? assert.fail('nobody is published')
    const { voters } = this.consul.sync
    const found = this.machines.flatMap((other) => {
      const probed = this.probe(self, other)
      return probed !== UNKNOWN &&
        probed.role === 'standby' &&
        mayHaveConfirmed({ node: other.node, timeline: probed.timeline }, timeline, this.mode, voters)
        ? [{ who: other.node, timeline: probed.timeline, lsn: probed.receivedLsn }]
        : []
    })
    const own = { timeline: timelineOf(self.wal), lsn: BigInt(self.wal.length) }
    return { own, found: [{ who: 'Consul', timeline, lsn: 0n }, ...found], silent: [] }
  }

  start(self: Machine): void {
    const plan = self.gate
    self.gate = null
    if (!self.powered || !plan || self.role !== 'down') return
    if (plan.do === 'allow') self.role = self.standbySignal ? 'standby' : 'primary'
    if (plan.do === 'lock' && !this.#away(self))
      this.consul.acquire(self.node, this.consul.session(self.node, 'start'), plan.modifyIndex)
    if (plan.do === 'refuse') {
      this.consul.expire(self.node, 'start')
      self.stopped = true
    }
  }

  /** The follow unit, which may start the rejoin unit. */
  lookAtReplication(self: Machine): void {
    self.repair = null
    if (this.#away(self)) return
    const { node, standbySignal, upstream } = self
    const { leadership } = this.consul
    const local = this.#local(self)
    const streaming = upstream !== null && this.streams(self, this.machine(upstream))
    const lineage: FollowFacts['lineage'] = this.#lineage(self, streaming)
    const seen = { node, leadership, local, standbySignal, lineage } as const
    const rejoin = decideRejoin({
      ...{ ...seen, data: this.#isUnpublished(self) ? 'unpublished' : 'intact' },
      ...{
        failure: null,
        nowMs: 0,
        elsewhere: null,
        replaced: false,
        damage: null,
        primaryLacks: null,
        crowded: false,
      },
    })
    const ours = leadership.primary?.node === node
    if (self.role === 'down' && (self.stopped || ours)) self.repair = rejoin
    else {
      const follow = decideFollow({
        ...seen,
        unpublished: this.#isUnpublished(self),
        upstream: upstream && published(upstream, 0, 0).address,
        streaming,
      })
      self.repair = follow.do === 'rejoin' ? rejoin : follow
    }
  }

  #isUnpublished(self: Machine): boolean {
    return isUnpublished(self.promotedFrom, this.#local(self))
  }

  #lineage(self: Machine, streaming: boolean): FollowFacts['lineage'] {
    const primary = currentPrimary(this.consul.leadership)
    if (!primary || primary.node === self.node || self.role !== 'standby' || streaming) return null
    const other = this.machine(primary.node)
    const probed = this.probe(self, other)
    return probed === UNKNOWN || probed.role !== 'primary' ? UNKNOWN : lineage(self.wal, other.wal)
  }

  repairReplication(self: Machine): void {
    const plan = self.repair
    self.repair = null
    if (!self.powered || !plan) return
    const current = currentPrimary(this.consul.leadership)
    if (plan.do === 'point') {
      const target = this.machines.find(({ node }) => published(node, 0, 0).address === plan.host)
      // A slot is made there first.
      if (!target || this.#away(self) || !this.#letsIn(self, target)) return
      if (this.#rules.looksBeforeItPoints && current?.index !== plan.epoch) return
      this.#point(self, target.node)
    }
    if (plan.do === 'stand-by') {
      this.crash(self, true)
      Object.assign(self, { standbySignal: true, upstream: null })
    }
    if (plan.do === 'start' || plan.do === 'stand-by') {
      self.stopped = false
      this.lookBeforeStart(self)
    }
    if (plan.do === 'rewind' || plan.do === 'clone')
      this.#copy(self, plan.do, this.machine(plan.primary.node))
  }

  /** A rewind, or a copy, that is done at once; the database is stopped for it. */
  #copy(self: Machine, how: 'rewind' | 'clone', primary: Machine): void {
    this.crash(self, true)
    self.stopped = true
    if (!this.#letsIn(self, primary) || primary.role !== 'primary') return
    self.wal = how === 'rewind' ? rewound(self.wal, primary.wal) : primary.wal
    Object.assign(self, { role: 'standby', standbySignal: true, stopped: false, upstream: primary.node })
    if (how === 'clone') self.promotedFrom = null
  }

  /** Does a standby receive what this machine writes, and say so? */
  streams(self: Machine, primary: Machine): boolean {
    if (self.role !== 'standby' || !self.linked || self.upstream !== primary.node) return false
    return primary.role === 'primary' && !primary.recovering && this.#reaches(self, primary) && self.powered
  }

  /** A standby connects where it points, which PostgreSQL allows by the numbers of the timelines. */
  link(self: Machine): void {
    if (self.role !== 'standby' || self.upstream === null || self.linked) return
    const primary = this.machine(self.upstream)
    if (primary.role !== 'primary' || primary.recovering || !this.#reaches(self, primary)) return
    if (!this.#wasPublished(primary) && this.#rules.evictsStandbys) return
    const fits: Lineage = lineage(self.wal, primary.wal)
    if (fits !== 'follows' || self.wal.length > primary.wal.length) return
    assert.ok(isBeginning(self.wal, primary.wal), `${self.node} streams what does not fit to what it has`)
    self.linked = true
  }

  /** So many records arrive and are on disk. */
  receive(self: Machine, records: number): void {
    if (self.upstream === null) return
    const primary = this.machine(self.upstream)
    if (this.streams(self, primary)) self.wal = primary.wal.slice(0, self.wal.length + records)
  }

  /** A client commits: clients come to who was once published, and may stay when it is replaced. */
  write(self: Machine): void {
    if (self.role === 'primary' && !self.recovering && this.#wasPublished(self))
      this.#log(self, timelineOf(self.wal), self.node)
  }

  #wasPublished({ node, wal }: Machine): boolean {
    const timeline = timelineOf(wal)
    return this.consul.publications.some((one) => one.node === node && one.timeline === timeline)
  }

  lookAfter(self: Machine): void {
    self.upkeep = null
    const { leader, primary } = this.consul.leadership
    const session = leader?.session
    if (this.#away(self) || self.role !== 'primary' || self.recovering || !session) return
    if (!this.consul.own(self.node).includes(session)) return
    if (primary?.node !== self.node || primary.index !== leader.modifyIndex) return
    const { sync, syncIndex: index } = this.consul
    const plan = decideDurability(this.durability(self))
    if (plan.do !== 'nothing') self.upkeep = { plan, session, index, sync, written: false }
  }

  durability(self: Machine): DurabilityFacts {
    const { sync } = this.consul
    const standbys = this.machines.filter((one) => this.streams(one, self))
    return {
      node: self.node,
      members: this.machines.map(({ node }) => node),
      mode: this.mode,
      commit: self.commit,
      election: sync.node === self.node ? sync : NOBODY,
      streaming: standbys.map(({ node }) => node),
      level: standbys.filter(({ wal }) => wal.length === self.wal.length).map(({ node }) => node),
      alone: standbys.length === 0,
      // Here a rule is in effect as soon as it is set: see durability-cluster.ts.
      proven: true,
    }
  }

  /** The next part of a step of the upkeep: what commits wait for is changed in two. */
  keepUp(self: Machine): void {
    const { upkeep } = self
    self.upkeep = null
    if (!upkeep || self.role !== 'primary' || self.recovering) return
    const { plan, session, index, sync, written } = upkeep
    if (plan.do === 'commit' && written) self.commit = plan.commit
    if (written || this.#away(self)) return
    if (plan.do === 'elect') {
      const { voters, need } = plan.election
      const waits = self.commit.count > 0
      this.consul.writeSync(session, { schema: 1, node: self.node, voters: [...voters], need, waits }, index)
    }
    const mine =
      sync.node === self.node ? sync : { ...sync, ...NOBODY, voters: [], node: self.node, waits: false }
    if (plan.do === 'commit' && this.consul.writeSync(session, mine, index))
      self.upkeep = { ...upkeep, written: true }
  }

  /** A look of the fence, which stops the database at the third one in a row that finds it cut off. */
  fence(self: Machine): void {
    if (!self.powered) return
    const away = this.#away(self)
    const plan = decideFence({
      node: self.node,
      local: this.#local(self),
      members: this.machines.length,
      streaming: this.machines.filter((one) => this.streams(one, self)).map(({ node }) => node),
      commit: self.commit,
      leadership: away ? UNKNOWN : this.consul.leadership,
      ownSessions: away ? UNKNOWN : this.consul.own(self.node),
      waitedMs: self.fenceMs,
    })
    self.fenceMs = plan.do === 'wait' ? self.fenceMs + FENCE_AFTER_MS / 2 : 0
    if (plan.do !== 'fence') return
    this.crash(self, true)
    self.stopped = true
  }

  /** The machine loses power, or only PostgreSQL dies; Consul's sessions end later, or not at all. */
  crash(self: Machine, powered: boolean): void {
    Object.assign(self, { powered, role: 'down', linked: false, upkeep: null, stopped: false, fenceMs: 0 })
    self.recovering = false
    if (!powered) Object.assign(self, IDLE)
    for (const one of this.machines) if (one.upstream === self.node) one.linked = false
  }
}
