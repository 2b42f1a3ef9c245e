import { Consul } from '../consul/client.ts'
import { consulKeys } from '../consul/manifest.ts'
import { readVoters } from '../consul/voters.ts'
import { holdsAddress } from '../core/interfaces.ts'
import type { Settings } from '../core/settings.ts'
import { localSyncthing, replicatesFiles } from '../files/client.ts'
import type { FilesSeen } from '../files/decide-copy.ts'
import { observeFiles } from '../files/observe.ts'
import { readReport } from '../files/report.ts'
import { localDatabase, remoteDatabase } from '../postgresql/database.ts'
import { postgresqlKeys, postgresqlPaths } from '../postgresql/manifest.ts'
import { virtualIpKeys } from '../virtual-ip/manifest.ts'
import { askPgbouncer, askPostgresql } from './ask.ts'
import { assemble, type ConsulReadings, type MachineReadings, rollCall, type Seat } from './assemble.ts'
import type { Report } from './facts.ts'
import { type Reading, read } from './reading.ts'

/** Consul first, then all machines at once: with a silent machine the two deadlines add up, to less than three seconds. */
const CONSUL_MS = 1000
const MACHINE_MS = 1300

/** Looks at the whole cluster from this machine. Takes root, for the passwords. Never throws and never hangs. */
export async function observeStatus(settings: Settings): Promise<Report> {
  // Where the monitor's password is.
  process.env['PGPASSFILE'] = postgresqlPaths.monitorPassfile
  const consul = new Consul({ prefix: settings.kvPrefix, timeoutMs: CONSUL_MS })
  try {
    // Our own machine is asked while Consul is: that needs nothing from Consul.
    const own = askMachine(
      { name: settings.node, address: settings.address, port: settings.postgresqlPort },
      settings,
    )
    const files = readFiles()
    const readings = await readConsul(consul)
    const seats = rollCall(settings, readings)
    const answers = await Promise.all(
      seats.map(async (seat) => {
        const answer = seat.name === settings.node ? own : askMachine(seat, settings)
        return [seat.name, await answer] as const
      }),
    )
    return assemble({
      at: new Date().toISOString(),
      settings,
      holdsVirtualIp: holdsAddress(settings.virtualIp),
      consul: readings,
      seats,
      machines: new Map(answers),
      files: await files,
      filesReport: readReport(),
    })
  } finally {
    consul.close()
  }
}

async function readConsul(consul: Consul): Promise<ConsulReadings> {
  const [leader, members, voters, config, nodes, databases, keepalived, lock, published, sync, checks] =
    await Promise.all([
      read(CONSUL_MS, consul.leader()),
      read(CONSUL_MS, consul.members()),
      read(CONSUL_MS, readVoters(CONSUL_MS)),
      read(CONSUL_MS, consul.getStale(consulKeys.config)),
      read(CONSUL_MS, consul.list(consulKeys.nodes)),
      read(CONSUL_MS, consul.list(postgresqlKeys.nodes)),
      read(CONSUL_MS, consul.list(virtualIpKeys.nodes)),
      read(CONSUL_MS, consul.getStale(consulKeys.leader)),
      read(CONSUL_MS, consul.getStale(consulKeys.primary)),
      read(CONSUL_MS, consul.getStale(postgresqlKeys.sync)),
      read(CONSUL_MS, consul.checks()),
    ])
  return { leader, members, voters, config, nodes, databases, keepalived, lock, published, sync, checks }
}

/** null where files are not replicated. */
async function readFiles(): Promise<Reading<FilesSeen | null>> {
  if (!replicatesFiles()) return { value: null }
  return read(MACHINE_MS, (async () => observeFiles(localSyncthing(MACHINE_MS)))())
}

async function askMachine({ name, address, port }: Seat, settings: Settings): Promise<MachineReadings> {
  const here = name === settings.node
  const database = here ? localDatabase('understudy_monitor', port) : remoteDatabase(address, port)
  const [postgresql, pgbouncer] = await Promise.all([
    read(MACHINE_MS, askPostgresql(database, MACHINE_MS)),
    read(MACHINE_MS, askPgbouncer(address, settings.database, MACHINE_MS)),
  ])
  return { postgresql, pgbouncer }
}
