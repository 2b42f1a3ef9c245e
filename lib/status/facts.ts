import type { ConsulMachine, ConsulReport } from '../consul/decide-status.ts'
import type { FilesFields, FilesMachine } from '../files/status.ts'
import type { PoolerMachine } from '../pooler/status.ts'
import type { PostgresqlFields, PostgresqlMachine } from '../postgresql/decide-status.ts'
import type { RabbitmqFields, RabbitmqMachine } from '../rabbitmq/status.ts'
import type { SearchFields, SearchMachine } from '../search/status.ts'
import type { ServicesFields } from '../services/status.ts'
import type { VirtualIpFields, VirtualIpMachine } from '../virtual-ip/status.ts'
import type { ChecksMachine } from './checks.ts'

/**
 * What `understudy status --json` prints; docs/operator/status.md explains every field. One rule holds throughout: the string
 * `unknown` stands for what could not be read (`unknown` then says why), and null for what does not exist.
 */
export interface StatusDocument extends Verdict, ClusterReport {
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

/** The fields of all sections, for those who read a document: what makes one goes through the sections. */
export interface ClusterReport
  extends ConsulReport,
    PostgresqlFields,
    VirtualIpFields,
    FilesFields,
    RabbitmqFields,
    ServicesFields,
    SearchFields {
  machines: Machine[]
}

export interface Machine
  extends ConsulMachine,
    PostgresqlMachine,
    PoolerMachine,
    VirtualIpMachine,
    FilesMachine,
    RabbitmqMachine,
    SearchMachine,
    ChecksMachine {}
