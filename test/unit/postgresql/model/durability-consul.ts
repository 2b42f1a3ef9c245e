import { type ElectionRule, NOBODY } from '../../../../lib/postgresql/decide-durability.ts'

interface Write {
  node: string
  election: ElectionRule
  session: number
  index: number
}

/** The members, the lock, who was published, and the document of the election rule. */
export class DurabilityConsul {
  holder: string | null
  session = 1
  published: string
  index = 1
  author: string
  election: ElectionRule
  /** Writes of the document that their writer no longer waits for. */
  readonly #late: Write[] = []

  /** The members' documents. */
  readonly members: Set<string>

  constructor(names: readonly string[], election: ElectionRule) {
    const [first = ''] = names
    this.members = new Set(names)
    this.holder = first
    this.published = first
    this.author = first
    this.election = election
  }

  expire(): void {
    this.holder = null
  }

  acquire(node: string): void {
    if (this.holder !== null) return
    this.holder = node
    this.session += 1
  }

  holds(node: string, session: number): boolean {
    return this.holder === node && this.session === session
  }

  /**
   * check-session on the lock and compare-and-set, in one transaction. The index moves also where the text stays: that Consul does so is
   * seen in test/lab/consul.test.ts.
   */
  write({ node, election, session, index }: Write): boolean {
    if (!this.holds(node, session) || this.index !== index) return false
    Object.assign(this, { author: node, election, index: index + 1 })
    return true
  }

  send(write: Write): void {
    this.#late.push(write)
  }

  /** One of the late writes arrives, or never will. */
  settle(which: number, arrives: boolean): void {
    const [write] = this.#late.splice(which % (this.#late.length || 1), 1)
    if (write && arrives) this.write(write)
  }

  settleAll(): void {
    while (this.#late.length > 0) this.settle(0, true)
  }

  publish(node: string, session: number): boolean {
    if (!this.holds(node, session)) return false
    Object.assign(this, { published: node, author: node, election: NOBODY, index: this.index + 1 })
    return true
  }
}
