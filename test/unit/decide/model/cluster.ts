import { currentPrimary, type LocalDatabase, UNKNOWN, type Unknown } from '../../../../lib/decide/facts.ts'
import {
  decideFailover,
  type FailoverFacts,
  type FailoverPlan,
  GIVE_WAY_MS,
} from '../../../../lib/decide/failover.ts'
import { decideFollow } from '../../../../lib/decide/follow.ts'
import { decideRejoin } from '../../../../lib/decide/rejoin.ts'
import { decideStartGate } from '../../../../lib/decide/start-gate.ts'
import { published } from '../../support/documents.ts'
import { ConsulModel } from './consul.ts'
import { type Machine, newMachine, tell } from './machine.ts'

/**
 * Machines that run the real decisions against a model of Consul and of their databases. Looking and acting are steps of
 * their own, so that everything may change between them.
 */
export class Cluster {
  readonly consul = new ConsulModel(published('n1', 1, 1))
  readonly machines: readonly Machine[]

  constructor(size: number) {
    this.machines = Array.from({ length: size }, (_, index) => newMachine(index + 1, 1))
  }

  /** The one that clients are sent to, where it really runs as the primary. */
  serving(): Machine | null {
    const primary = currentPrimary(this.consul.leadership)
    const machine = this.machines.find(({ node }) => node === primary?.node)
    return machine?.role === 'primary' && machine.timeline === primary?.timeline ? machine : null
  }

  facts(self: Machine): FailoverFacts {
    const away = !self.powered || self.isolated
    const { leader, primary } = this.consul.leadership
    const startSessions = this.consul.sessions(self.node, 'start')
    const leading = this.machines.find(({ node }) => node === primary?.node)
    return {
      self: { node: self.node, repmgrId: self.id, vipPriority: 100 - self.id },
      leader: away ? UNKNOWN : leader,
      ownSessions: away ? UNKNOWN : [...this.consul.sessions(self.node, 'leader'), ...startSessions],
      startSessions,
      primary: away ? UNKNOWN : primary,
      local: tell(self),
      primaryDatabase: leading && leading !== self ? this.probe(self, leading) : UNKNOWN,
      peers: this.machines
        .filter((peer) => peer !== self && peer !== leading)
        .map((peer) => ({
          node: peer.node,
          repmgrId: peer.id,
          vipPriority: 100 - peer.id,
          healthy: peer.powered && !peer.isolated && peer.role !== 'down',
          database: this.probe(self, peer),
        })),
      waitedMs: self.waitedMs,
    }
  }

  probe(from: Machine, to: Machine): LocalDatabase | Unknown {
    const reachable =
      from.powered && to.powered && !from.isolated && !to.isolated && !to.muted && to.role !== 'down'
    return reachable ? tell(to) : UNKNOWN
  }

  look(self: Machine): void {
    if (!self.powered) return
    self.failover = decideFailover(this.facts(self))
  }

  act(self: Machine): void {
    const plan = self.failover
    self.failover = null
    if (!self.powered || !plan) return
    if (plan.do === 'promote') {
      if (self.role !== 'standby') return
      self.role = 'primary'
      self.standbySignal = false
      self.timeline += 1
    } else if (!self.isolated) this.#write(self, plan)
    self.waitedMs = plan.do === 'wait' ? self.waitedMs + GIVE_WAY_MS / 3 : 0
  }

  #write(self: Machine, plan: FailoverPlan): void {
    const { consul } = this
    // Consul makes no session for a database whose check fails.
    const leader = (): string | null => (self.role === 'down' ? null : consul.session(self.node, 'leader'))
    if (plan.do === 'unlock') consul.release(plan.session)
    if (plan.do === 'publish') {
      consul.publish(plan.session, published(self.node, plan.timeline, plan.epoch), plan.replaces)
    }
    if (plan.do === 'adopt' && leader() === null) return
    if (plan.do === 'lock' || (plan.do === 'adopt' && consul.release(plan.session))) {
      const session = leader()
      if (session !== null) consul.acquire(self.node, session)
    }
  }

  /** systemd starts PostgreSQL: the start gate looks. */
  lookBeforeStart(self: Machine): void {
    if (!self.powered || self.role !== 'down') return
    const { standbySignal, node } = self
    const { leader, primary, ownSessions } = this.facts(self)
    const leadership = leader === UNKNOWN || primary === UNKNOWN ? UNKNOWN : { leader, primary }
    self.gate = decideStartGate({ node, standbySignal, leadership, ownSessions })
  }

  start(self: Machine): void {
    const plan = self.gate
    self.gate = null
    if (!self.powered || !plan || self.role !== 'down') return
    if (plan.do === 'allow') self.role = self.standbySignal ? 'standby' : 'primary'
    if (plan.do === 'lock' && !self.isolated)
      this.consul.acquire(self.node, this.consul.session(self.node, 'start'))
    if (plan.do === 'refuse') this.rejoin(self)
  }

  /** The follow and the rejoin unit; a rewind is taken to work and to be done at once. */
  rejoin(self: Machine): void {
    if (!self.powered || self.isolated) return
    const { node, standbySignal } = self
    const { leadership } = this.consul
    const local = tell(self)
    const follow = decideFollow({ node, leadership, local, upstream: null })
    const rejoin = decideRejoin({ node, leadership, local, data: 'intact', standbySignal })
    const primary = this.machines.find((machine) => machine.node === leadership.primary?.node)
    if (!primary || primary === self || this.probe(self, primary) === UNKNOWN) return
    const asked = follow.do === 'rejoin' || local.role === 'down'
    if (follow.do === 'point' || (asked && (rejoin.do === 'rewind' || rejoin.do === 'clone'))) {
      if (primary.role !== 'primary') return
      self.role = 'standby'
      self.standbySignal = true
      self.timeline = primary.timeline
      self.lsn = primary.lsn
    }
  }

  /** A write of a client of PgBouncer, wherever it points. */
  write(): void {
    const primary = this.serving()
    if (primary?.powered && !primary.isolated) primary.lsn += 1n
  }

  /** The machine loses power, or only PostgreSQL dies; Consul's sessions end later, or not at all. */
  crash(self: Machine, powered: boolean): void {
    self.powered = powered
    self.role = 'down'
    self.failover = null
    self.gate = null
  }
}
