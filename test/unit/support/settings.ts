import type { Settings } from '../../../lib/core/settings.ts'

/** Of a member, as join writes them. */
export const settings: Settings = {
  schema: 1,
  node: 'n1',
  machineId: '0123456789abcdef0123456789abcdef',
  address: '10.77.0.11',
  interface: 'eth0',
  network: '10.77.0.0/24',
  kvPrefix: 'understudy/',
  virtualIp: '10.77.0.100/24',
  repmgrId: 1,
  vipPriority: 150,
  database: 'app',
  user: 'app',
  postgresqlVersion: 17,
  postgresqlPort: 5432,
}
