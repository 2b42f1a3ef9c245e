import type { DurabilityMode, PlacementPolicy, Primary } from '../consul/manifest.ts'
import type { Unknown } from '../core/unknown.ts'
import type { Copy } from '../files/decide-copy.ts'
import type { Sync } from '../postgresql/manifest.ts'

/**
 * What `understudy status --json` prints; docs/status.md explains every field. One rule holds throughout: the string
 * `unknown` stands for what could not be read (`unknown` then says why), and null for what does not exist.
 */
export interface StatusDocument extends Verdict, Report {
  schema: 1
}

/** What follows from a report. */
export interface Verdict {
  healthy: boolean
  /** One sentence. */
  summary: string
  /** Every deviation from a healthy cluster, one sentence each. */
  problems: string[]
  /** Worth knowing, but nothing to repair. */
  notes: string[]
}

/** The cluster as one machine sees it at one moment. */
export interface Report {
  at: string
  /** Name of the machine that looked. */
  observer: string
  consul: {
    /** Does the agent of this machine answer at all? */
    answers: boolean
    /** Name of the machine that leads the Raft group; null without a quorum. */
    leader: string | null | Unknown
  }
  virtualIp: string
  policy: PlacementPolicy | Unknown
  /** What a commit waits for. */
  durability: DurabilityMode | Unknown
  /** Who may take over, as the primary last wrote it; null where none has. */
  election: Election | null | Unknown
  /** The lock of the primary; null where it was never taken. */
  lock: Lock | null | Unknown
  /** What PgBouncer and the standbys follow; null where nothing was published. */
  published: Published | null | Unknown
  /** Name of the machine that is published and holds the lock it was published under. */
  primary: string | null | Unknown
  /** The replicated folders; null where files are not replicated on the machine that looked. */
  folders: FolderReport[] | null | Unknown
  /** Servers that Consul knows but that are not members (yet). */
  joining: string[]
  machines: Machine[]
  unknown: Gap[]
}

interface Lock {
  held: boolean
  /** Who holds it, or held it last. */
  node: string
  since: string
  why: string
  epoch: number
}

type Published = Omit<Primary, 'schema'>
type Election = Omit<Sync, 'schema'>

export interface Machine {
  name: string
  address: string
  /** Is this the machine that looked? */
  here: boolean
  consul: 'leader' | 'alive' | 'failed' | Unknown
  /** Does its Consul server count for a majority? A new one does only after a while. */
  voter: boolean | Unknown
  /** First-hand on the machine that looked, as published by keepalived's notify elsewhere. */
  virtualIp: 'holder' | 'backup' | 'fault' | 'stopped' | Unknown
  postgresql: Postgresql | Unknown
  /** null where PgBouncer runs but does not know the database. */
  pgbouncer: Pooler | null | Unknown
  /**
   * What it has of the replicated folders, as the Syncthing of the machine that looked sees it; null where that does not know
   * the machine.
   */
  files: MachineFiles | null | Unknown
  checks: CheckResult[] | Unknown
}

interface FolderReport {
  label: string
  path: string
  /** Files that were changed on two machines at the same time; both versions were kept. null: not counted yet. */
  conflicts: number | null
}

export interface MachineFiles {
  /** Is its Syncthing connected with that of the machine that looked? */
  connected: boolean
  folders: (Copy & { label: string })[]
}

export type Postgresql =
  | { role: 'primary'; timeline: number }
  | {
      role: 'standby'
      timeline: number
      streaming: boolean
      upstream: string | null
      lagBytes: number | Unknown
    }
  | { role: 'down' }

export interface Pooler {
  host: string
  port: number
  /** The machine whose database that is, or null. */
  target: string | null
  /** Clients are held back. */
  paused: boolean
}

interface CheckResult {
  id: string
  status: 'passing' | 'warning' | 'critical'
  /** The first line of what the check said. */
  output: string
}

/** Something that could not be read. */
export interface Gap {
  /** null where it concerns the whole cluster. */
  machine: string | null
  what: string
  why: string
}
