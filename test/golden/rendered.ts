import { components } from '../../lib/components.ts'
import {
  renderConsulAgent,
  renderConsulBootstrap,
  renderConsulMembers,
  renderConsulProbe,
  renderConsulServices,
} from '../../lib/consul/config.ts'
import type { Settings } from '../../lib/core/settings.ts'
import { renderSyncthing } from '../../lib/files/config.ts'
import {
  renderDatabases,
  renderPgbouncer,
  renderPgbouncerHba,
  renderUserlist,
} from '../../lib/pooler/config.ts'
import {
  hbaLines,
  identLines,
  includeLines,
  LOOKUP_ROLE,
  lastHbaLines,
  renderPostgresql,
  slotName,
  standbyLines,
  withManagedBlock,
} from '../../lib/postgresql/config.ts'
import { renderPassfile } from '../../lib/postgresql/config-conninfo.ts'
import { renderRepmgr, streamConninfo } from '../../lib/postgresql/config-repmgr.ts'
import { renderSynchronous } from '../../lib/postgresql/config-synchronous.ts'
import { lookupPassword } from '../../lib/postgresql/login-lookup.ts'
import { scramSecret } from '../../lib/postgresql/scram.ts'
import {
  memoryFor,
  renderBroker,
  renderDefinitions,
  renderEnvironment,
  renderNames,
  renderPortMapper,
} from '../../lib/rabbitmq/config.ts'
import { rabbitmqPaths, VHOST } from '../../lib/rabbitmq/manifest.ts'
import { renderKeepalived } from '../../lib/virtual-ip/config.ts'

/** Another member of the cluster: the primary that this machine follows. */
export const PRIMARY = { address: '10.77.0.12', port: 5432 }
/** What keeps the cluster's Consul apart from others. */
const REALM = { datacenter: 'understudy-0a1b2c3d', serverPort: 18377 }
/** With the two characters that a password file escapes. */
export const REPMGR_PASSWORD = 'a:b\\c'
export const MONITOR_PASSWORD = 'monitor'

/** What every renderer of a component gives for one member of one cluster, by the name of its golden file. */
export function rendered(settings: Settings) {
  const { node, address, network, database, user, postgresqlPort: port, vipPriority: priority } = settings
  return {
    consul: {
      'agent.json': renderConsulAgent({
        node,
        address,
        dataDirectory: '/var/lib/consul',
        realm: REALM,
      }),
      'members.json': renderConsulMembers([PRIMARY.address, '10.77.0.13']),
      'bootstrap.json': renderConsulBootstrap(),
      'probe.json': renderConsulProbe({
        name: `${node}-joining-0a1b2c`,
        datacenter: REALM.datacenter,
        bind: address,
        join: PRIMARY.address,
        dataDirectory: '/tmp/understudy-probe-0a1b2c/data',
        http: 18500,
        serf: 18301,
      }),
      'services.json': renderConsulServices(components, settings),
    },
    'virtual-ip': {
      'keepalived.conf': renderKeepalived({
        node,
        interface: settings.interface,
        virtualIp: settings.virtualIp ?? '',
        routerId: 51,
        priority,
      }),
    },
    pooler: {
      'pgbouncer.ini': renderPgbouncer(true),
      'databases.ini': renderDatabases({ databases: [database], settings: {} }, PRIMARY),
      'databases-without-a-primary.ini': renderDatabases({ databases: [database], settings: {} }, null),
      'hba.conf': renderPgbouncerHba(),
      'userlist.txt': renderUserlist({
        [LOOKUP_ROLE]: lookupPassword(REPMGR_PASSWORD),
        understudy_monitor: scramSecret('understudy_monitor', MONITOR_PASSWORD),
        consul: 'a "quoted" word',
      }),
    },
    postgresql: {
      'understudy.conf': renderPostgresql(port, settings.postgresqlVersion),
      'postgresql.conf': withManagedBlock("include_dir = 'conf.d'\n", includeLines(), 'last'),
      'pg_hba.conf': withManagedBlock(
        withManagedBlock('local all postgres peer\n', hbaLines(network, user)),
        lastHbaLines(network),
        'last',
      ),
      'pg_ident.conf': withManagedBlock('# MAPNAME SYSTEM-USERNAME PG-USERNAME\n', identLines()),
      'postgresql.auto.conf': standbyLines(
        streamConninfo(node, PRIMARY.address, PRIMARY.port),
        slotName(settings.repmgrId),
      ),
      'repmgr.conf': renderRepmgr({ ...settings, port, priority }),
      'repmgr.pgpass':
        renderPassfile('repmgr', REPMGR_PASSWORD) + renderPassfile('understudy_monitor', MONITOR_PASSWORD),
      synchronous_standby_names: renderSynchronous({ count: 1, standbys: ['n2', 'n3'] }),
    },
    files: {
      'config.xml': renderSyncthing(address, {
        apiKey: '0123456789abcdef0123456789abcdef',
        user: 'understudy',
        passwordHash: '$2a$10$0123456789abcdef012345678901234567890123456789012345',
      }),
    },
    rabbitmq: {
      'rabbitmq.conf': renderBroker({ memoryBytes: memoryFor(4 * 1024 ** 3), firstPassword: 'first' }),
      'rabbitmq-env.conf': renderEnvironment(node, address, rabbitmqPaths.names),
      'epmd.socket.conf': renderPortMapper(address),
      erl_inetrc: renderNames(
        new Map([
          [node, address],
          ['n2', '10.77.0.12'],
        ]),
      ),
      'definitions.json': renderDefinitions({
        ...{ vhost: VHOST, user, password: 'of the application', salt: Buffer.from([1, 2, 3, 4]) },
      }),
    },
  } as const
}
