import {
  clusterOf,
  type Joining,
  type Part,
  postgresqlOf,
  settingsOf,
  writeSettings,
} from '../consul/joining.ts'
import type { Primary } from '../consul/manifest.ts'
import { unit, unitStates } from '../core/systemd.ts'
import { systemUser } from '../core/users.ts'
import { copyPrimary } from './copy.ts'
import { lookAgain, lookAtPostgresql, noPrimary } from './join-look.ts'
import { becomePrimary } from './join-primary.ts'
import { writeSecrets } from './join-secrets.ts'
import { postgresqlKeys, postgresqlUnits } from './manifest.ts'
import { configureRepmgr, registerPrimary, registerStandby, startRepmgrd } from './repmgr.ts'
import { applyConfiguration, configurePostgresql, createRoles, waitForStreaming } from './server.ts'

/** PostgreSQL's part of a join. */
export const part: Part = {
  look: lookAtPostgresql,
  steps: [
    { phase: 'data', only: 'first', title: 'configure PostgreSQL', run: configureFirst },
    { phase: 'data', only: 'joiner', title: 'configure PostgreSQL', run: configure },
    { phase: 'data', only: 'joiner', title: 'copy the primary', run: copy },
    { phase: 'data', only: 'joiner', title: 'stream from the primary', run: stream },
    { phase: 'data', title: 'register with repmgr', run: register },
    { phase: 'registration', only: 'first', title: 'become the primary', run: becomePrimary },
    { phase: 'publication', title: 'set up repmgrd', run: setUpRepmgrd },
  ],
  upgrade: [
    { phase: 'data', title: 'configure PostgreSQL', run: configureAgain },
    { phase: 'publication', title: 'set up repmgrd', run: startRepmgrd },
  ],
  async publish(joining) {
    const { node, repmgrId, address, postgresqlPort: port } = settingsOf(joining)
    const published = await joining.consul.get(postgresqlKeys.node(node))
    if (!published)
      await joining.consul.set(postgresqlKeys.node(node), { schema: 1, repmgrId, address, port })
  },
  checks: ['postgresql'],
  leave: [],
}

async function configure(joining: Joining): Promise<void> {
  const { config, credentials } = clusterOf(joining)
  const postgres = await systemUser('postgres')
  writeSecrets(config, credentials, postgres)
  configureRepmgr(settingsOf(joining))
  configurePostgresql(postgresqlOf(joining), joining.placement.network, config.user, postgres)
}

/** What needs a restart waits for one: the check names it. */
async function configureAgain(joining: Joining): Promise<void> {
  joining.postgresql = await lookAgain(joining)
  writeSettings(joining)
  await configure(joining)
  const service = postgresqlUnits.server(postgresqlOf(joining).version)
  if ((await unitStates([service])).get(service) === 'active') await unit('reload', service)
}

/** The first machine keeps its data, and becomes what the others copy. */
async function configureFirst(joining: Joining): Promise<void> {
  const { config, credentials, primary } = clusterOf(joining)
  const postgres = await systemUser('postgres')
  await configure(joining)
  await applyConfiguration(postgresqlOf(joining), config.durability, postgres)
  if (!primary) await createRoles(postgresqlOf(joining).port, config, credentials, postgres)
}

async function copy(joining: Joining, tell: (progress: string) => void): Promise<void> {
  const { options, machine } = joining
  await copyPrimary(settingsOf(joining), primaryOf(joining), {
    as: await systemUser('postgres'),
    rate: options.copyRate ?? clusterOf(joining).config.copyRate ?? null,
    isMember: machine.settings !== null,
    onProgress: tell,
  })
}

async function stream(joining: Joining): Promise<void> {
  const postgres = await systemUser('postgres')
  // Before PostgreSQL starts: without settings, the start gate would let it start in any role.
  writeSettings(joining)
  await applyConfiguration(postgresqlOf(joining), clusterOf(joining).config.durability, postgres)
  if (!isPrimary(joining)) await waitForStreaming(postgresqlOf(joining).port, postgres)
}

async function register(joining: Joining): Promise<void> {
  const { primary } = clusterOf(joining)
  const postgres = await systemUser('postgres')
  if (joining.options.as === 'first') {
    if (!primary) await registerPrimary(postgres)
  } else if (!isPrimary(joining)) await registerStandby(postgres)
  // On the first machine only now: from here on the start gate asks Consul who the primary is.
  writeSettings(joining)
}

async function setUpRepmgrd(): Promise<void> {
  // On the primary the first gives every member its replication slot; elsewhere it finds nothing to do.
  await Promise.all([unit('start', postgresqlUnits.failover), startRepmgrd()])
}

/** The primary at the time when this machine took its seat. */
function primaryOf(joining: Joining): Primary {
  const { primary } = clusterOf(joining)
  if (primary) return primary
  throw noPrimary()
}

/** A machine that joined as a standby may have been promoted since. */
const isPrimary = (joining: Joining): boolean => primaryOf(joining).node === joining.machine.node
