import { paths } from '../core/paths.ts'
import { renderConninfo } from './config-conninfo.ts'
import { postgresqlPaths, postgresqlUnits } from './manifest.ts'

export interface RepmgrOptions {
  node: string
  repmgrId: number
  address: string
  port: number
  postgresqlVersion: number
  /** Election priority: the same order as the virtual IP's. */
  priority: number
}

const asRepmgr = (node: string, host: string, port: number) => ({
  ...{ host, port, user: 'repmgr', dbname: 'repmgr', application_name: node },
  passfile: postgresqlPaths.repmgrPassfile,
})

/** How repmgr connects to a member's database. The password comes from the password file. */
export const repmgrConninfo = (node: string, host: string, port: number): string =>
  renderConninfo(asRepmgr(node, host, port))

/**
 * The same for replication. A WAL sender that is told to end has a last word for its receiver, and for one that is dead waits as
 * long as TCP does, a quarter of an hour. Its slot is not free until then, and a checkpoint that has to give the slot up waits for
 * it. wal_sender_timeout does not count any more, so TCP gets a time-out on that side as well.
 */
export const streamConninfo = (node: string, host: string, port: number): string =>
  renderConninfo({ ...asRepmgr(node, host, port), options: '-c tcp_user_timeout=5000' })

/** The events that the history records, see https://www.repmgr.org/docs/current/event-notifications.html. */
const EVENTS = [
  'child_node_disconnect',
  'child_node_reconnect',
  'child_nodes_disconnect_command',
  'repmgrd_failover_aborted',
  'repmgrd_failover_follow',
  'repmgrd_failover_promote',
  'repmgrd_local_disconnect',
  'repmgrd_local_reconnect',
  'repmgrd_promote_error',
  'repmgrd_upstream_disconnect',
  'repmgrd_upstream_reconnect',
  'standby_follow',
  'standby_promote',
]

/** repmgr.conf, see https://www.repmgr.org/docs/current/configuration-file.html. */
export function renderRepmgr(options: RepmgrOptions): string {
  const { node, repmgrId, address, port, postgresqlVersion, priority } = options
  return `# Written by understudy. The next join overwrites local changes.
node_id=${repmgrId}
node_name='${node}'
conninfo='${repmgrConninfo(node, address, port)}'
data_directory='${postgresqlPaths.data(postgresqlVersion)}'
pg_bindir='${postgresqlPaths.bin(postgresqlVersion, '')}'
config_directory='${postgresqlPaths.configDirectory(postgresqlVersion)}'
passfile='${postgresqlPaths.repmgrPassfile}'
use_replication_slots=true
priority=${priority}

failover=automatic
failover_validation_command='${paths.handler('failover-validate')} %n'
promote_command='${paths.handler('failover')} --must-promote'
follow_command='${paths.handler('follow')}'
# A query on a dead TCP connection would hang; a new connection fails after connect_timeout.
connection_check_type=ping
# Each look is a new connection to every server that is looked at.
monitor_interval_secs=2
reconnect_attempts=2
reconnect_interval=1
election_rerun_interval=5
standby_disconnect_on_failover=false
promote_check_timeout=15

# When the last standby disconnects, the fence checks whether this machine is still the primary.
child_nodes_check_interval=2
child_nodes_disconnect_timeout=2
child_nodes_disconnect_command='systemctl start --no-block ${postgresqlUnits.fence}'

# Starts and stops of repmgrd itself are left out: it is restarted for every new primary.
event_notifications='${EVENTS.join(',')}'
event_notification_command='nice -n 10 ${paths.handler('repmgr-event')} "%n" "%e" "%s" "%t" "%d"'
service_start_command='systemctl start postgresql@${postgresqlVersion}-main.service'
service_stop_command='systemctl stop postgresql@${postgresqlVersion}-main.service'
service_restart_command='systemctl restart postgresql@${postgresqlVersion}-main.service'
service_reload_command='systemctl reload postgresql@${postgresqlVersion}-main.service'
log_level=INFO
`
}
