import type { AnyKey } from './key.ts'
import type { Plan, Reconciler } from './reconciler.ts'
import type { Settings } from './settings.ts'
import type { StatusSection } from './status.ts'

/**
 * A part of the cluster: one folder of lib/, described by one manifest. The periodic check, join, the status, Consul's
 * configuration, the package and the reference in docs/ are made by going through the manifests (lib/components.ts).
 */
export interface Component<Context, Joining = never> {
  /** The folder in lib/. */
  name: string
  /** What people call it. */
  title: string
  /** Everything it keeps in Consul. */
  keys: Readonly<Record<string, AnyKey>>
  keysAbout: readonly KeyAbout[]
  /** Every path it owns or reads. */
  paths: Readonly<Record<string, string | ((...parts: never[]) => string)>>
  filesAbout: readonly FileAbout[]
  ports: readonly PortAbout[]
  handlers: readonly HandlerAbout[]
  /** Is it part of a cluster with these settings? Without it: of every cluster. */
  wanted?: (settings: ClusterSettings) => boolean
  /** Units that run on every member; the periodic check says so where one does not. */
  daemons: readonly string[]
  /** What the Debian package is made of. */
  package: Packaging
  /** What Consul is given. */
  consul: (settings: ConsulSettings) => ConsulDefinitions
  /** Its lines of the periodic check. */
  check?: () => Promise<{ lines: readonly CheckLine<Context>[] }>
  /** Its part of a join. */
  join?: () => Promise<{ part: JoinPart<Joining> }>
  /** Its section of the status. */
  status?: () => Promise<StatusPart<Context>>
}

/** What decides of which components a cluster is made. */
export type ClusterSettings = Pick<Settings, 'virtualIp' | 'virtualIpCommand' | 'rabbitmq' | 'search'>

/**
 * A manifest. In a function, which is called without side effects: the bundle of a handler that needs no more than a path of it
 * leaves the rest out.
 */
export const describe = <Context, Joining>(
  component: () => Component<Context, Joining>,
): Component<Context, Joining> => component()

/** Those components that a cluster with these settings is made of. */
export const wantedBy = <T extends { wanted?: (settings: ClusterSettings) => boolean }>(
  settings: ClusterSettings,
  components: readonly T[],
): T[] => components.filter(({ wanted }) => wanted?.(settings) ?? true)

/** A line of the reference: what is kept in Consul. */
export interface KeyAbout {
  /** With NODE and TIME for what varies. */
  key: string
  holds: string
  writtenBy: string
}

/** A line of the reference: a file or directory. */
export interface FileAbout {
  path: string
  holds: string
}

/** A line of the reference: a port that is listened on. */
export interface PortAbout {
  /** As a person writes it: 8301/tcp+udp. */
  port: string
  what: string
  from: string
}

/** A line of the reference: a handler and who calls it. */
export interface HandlerAbout {
  name: string
  user: string
  calledBy: string
  does: string
}

/** A package of Debian; `program` is looked for by join. */
export interface PackageNeeded {
  package: string
  minimum?: string
  program?: string
}

export interface Packaging {
  /** Debian's packages that every machine needs, with the programs that join looks for. */
  depends?: readonly PackageNeeded[]
  /** The same for packages that only a cluster with this component needs. */
  recommends?: readonly PackageNeeded[]
  /** The same for packages that a cluster has only where somebody asks for it. */
  suggests?: readonly PackageNeeded[]
  /** Files of packaging/systemd/ that are units of ours. */
  units?: readonly string[]
  /** Drop-ins for units of others: the unit, the file of packaging/systemd/, the name that it gets. */
  dropIns?: readonly { unit: string; file: string; as: string }[]
  /** Units of ours that run a program of another package: they are restarted when that is upgraded. */
  restarts?: readonly { program: string; unit: string }[]
  /** Handlers that are scripts for the shell (NAME.sh) or for Perl (NAME.pl): files of packaging/. */
  scripts?: readonly string[]
  /** Lines for systemd-tmpfiles, see tmpfiles.d(5). */
  tmpfiles?: readonly string[]
  /** Commands for the package's postinst, as root in sh(1), each safe to be run again. */
  users?: readonly string[]
  /** Which user may do what with which units; a unit is a name, or a pattern with * for a number. */
  polkit?: readonly { user: string; verb: string; units: readonly string[] }[]
}

export type ConsulSettings = Pick<
  Settings,
  'kvPrefix' | 'postgresqlPort' | 'postgresqlVersion' | 'rabbitmq' | 'search'
>

/** Services with their checks, and watches, see https://developer.hashicorp.com/consul/docs/services and .../watches. */
export interface ConsulDefinitions {
  services: readonly ConsulService[]
  watches: readonly object[]
}

export interface ConsulService {
  id: string
  name: string
  port?: number
  checks: readonly { id: string; name: string }[]
}

/** What a line of the periodic check has decided. */
export interface CheckPlan extends Plan {
  /** Another look would decide the same as long as it sees the same. Without it: if there is nothing to do, and no problem. */
  settled?: boolean
  /** What a person should know, one sentence each; also what is being repaired. */
  problems: readonly string[]
}

/** A line of the periodic check: looks at one thing, repairs it or starts its repair, and says what a person should know. */
export interface CheckLine<Context, Facts extends object = object, P extends CheckPlan = CheckPlan>
  extends Reconciler<Context, Facts, P> {
  /** The id of a check of its own in Consul that says this, so that it hides nothing else; else it is in `understudy`. */
  report?: string
}

/**
 * The steps of a join run phase by phase, and within a phase in the order of the components. Those of `daemons` run side by side: each
 * sets up one daemon, and needs none of the others.
 */
export const joinPhases = [
  'membership',
  'data',
  'daemons',
  'registration',
  'publication',
  'confirmation',
] as const

/** One step of a join: idempotent, so that a join that failed or was killed is finished by running it again. */
export interface JoinStep<Joining> {
  phase: (typeof joinPhases)[number]
  /** What the operator reads. */
  title: string
  /** Only on the machine that founds the cluster, or only on one that joins it. */
  only?: 'first' | 'joiner'
  /** @param tell takes how far a long step is, for the operator. */
  run(joining: Joining, tell: (progress: string) => void): Promise<void>
}

/** What a component does in a join. */
export interface JoinPart<Joining> {
  /** Looks before anything is changed. @throws one sentence where this machine cannot become a member. */
  look?(joining: Joining): Promise<void>
  /** Waits beside all looks for what others may answer, and changes nothing. @throws as `look`, whose refusals come first. */
  ask?(joining: Joining): Promise<void>
  steps: readonly JoinStep<Joining>[]
  /** Those steps that configure something, for a member whose package was upgraded: they end nobody's session. */
  upgrade: readonly JoinStep<Joining>[]
  /** Publishes what the cluster keeps about a member, where it is not there yet. */
  publish?(joining: Joining): Promise<void>
  /** Ids of the checks in Consul that must pass before the join is complete. */
  checks?: readonly string[]
  /**
   * Some of them run once as Consul will run them, by their ids: a join does not wait for their first turn.
   * @returns the output. @throws with the output where the check does not pass.
   */
  firstRuns?: Readonly<Record<string, () => Promise<string>>>
  /** The steps of leaving the cluster: none yet. */
  leave: readonly JoinStep<Joining>[]
}

/** What `lib/<component>/status.ts` exports. */
export interface StatusPart<Context> {
  section: StatusSection<Context>
}
