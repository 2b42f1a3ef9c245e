import { readable } from '../consul/check-documents.ts'
import type { Context } from '../consul/handler.ts'
import { consulKeys } from '../consul/manifest.ts'
import { answering } from '../core/answering.ts'
import { readText } from '../core/atomic-files.ts'
import type { CheckLine } from '../core/component.ts'
import { readFailure } from '../core/failure.ts'
import { isStopped, queueUnit } from '../core/systemd.ts'
import { UNKNOWN, unknownOnFailure } from '../core/unknown.ts'
import { withDatabase } from './client.ts'
import { damagedPages } from './damaged-pages.ts'
import { isCrowded, isUnwanted } from './data-directory.ts'
import { localDatabase, probeLocal } from './database.ts'
import {
  type DatabaseCheckPlan,
  decideDatabaseCheck,
  decideRejoinCheck,
  decideReplacedCheck,
  decideStaleCheck,
  decideStartsCheck,
  decideStrangerCheck,
} from './decide-check.ts'
import type { Replication } from './decide-follow.ts'
import { decideSettingsCheck, type SettingFacts } from './decide-settings.ts'
import { disk } from './disk.ts'
import { observeKeptUp } from './kept-up.ts'
import { postgresqlKeys, postgresqlPaths, postgresqlUnits } from './manifest.ts'
import { observeReplication } from './observe-follow.ts'
import { readSettingsInEffect } from './observe-settings.ts'
import { restart } from './restart.ts'
import { readStarts } from './starts.ts'

/** It answers in milliseconds, and if it does not, another line says so. */
const SETTINGS_MS = 2000

const rejoin: CheckLine<Context, Parameters<typeof decideRejoinCheck>[0]> = {
  name: 'rejoin',
  observe: async () => ({
    failure: readFailure(postgresqlPaths.rejoinFailed),
    copying: readText(postgresqlPaths.copying),
  }),
  decide: decideRejoinCheck,
  apply: async () => {},
}

const starts: CheckLine<Context, Parameters<typeof decideStartsCheck>[0]> = {
  name: 'starts',
  async observe({ settings }) {
    const last = readStarts()
    if (last === null || last.failed === 0) return { failed: 0, runs: true }
    const local = await probeLocal(localDatabase('understudy_monitor', settings.postgresqlPort), SETTINGS_MS)
    return { failed: last.failed + 1, runs: local !== UNKNOWN && local.role !== 'down' }
  },
  decide: decideStartsCheck,
  apply: async () => {},
}

const replaced: CheckLine<Context, Parameters<typeof decideReplacedCheck>[0]> = {
  name: 'replaced',
  observe: async ({ settings: { postgresqlVersion: version } }) => ({
    crowded: isCrowded(version),
    unwanted: isUnwanted(version),
  }),
  decide: decideReplacedCheck,
  async apply(plan) {
    if (plan.do === 'start') await queueUnit('start', postgresqlUnits.rejoin)
  },
}

const database: CheckLine<Context, Replication & { keptUp: number | null }, DatabaseCheckPlan> = {
  name: 'database',
  async observe(context) {
    const seen = await observeReplication(context, 'understudy_monitor', unknownOnFailure)
    const leads = seen.local !== UNKNOWN && seen.local.role === 'primary'
    return { ...seen, keptUp: leads ? await observeKeptUp(context) : null }
  },
  decide: decideDatabaseCheck,
  async apply({ start }) {
    for (const repair of start) await queueUnit('start', postgresqlUnits[repair])
  },
}

const settings: CheckLine<Context, SettingFacts> = {
  name: 'settings',
  async observe({ settings: { postgresqlPort }, consul }) {
    const database = localDatabase('understudy_monitor', postgresqlPort)
    const [config, found] = await Promise.all([
      unknownOnFailure(consul.get(consulKeys.config)),
      unknownOnFailure(withDatabase(database, SETTINGS_MS, readSettingsInEffect)),
    ])
    return { settings: found, mode: config === UNKNOWN ? UNKNOWN : (config?.value.durability ?? 'quorum') }
  },
  decide: decideSettingsCheck,
  apply: async () => {},
}

const stale: CheckLine<Context, Parameters<typeof decideStaleCheck>[0]> = {
  name: 'data',
  observe: async ({ settings }) => ({
    reason: readText(postgresqlPaths.staleMarker(settings.postgresqlVersion)),
  }),
  decide: decideStaleCheck,
  apply: async () => {},
}

const stranger: CheckLine<Context, Parameters<typeof decideStrangerCheck>[0]> = {
  name: 'stranger',
  observe: async () => ({ ended: readFailure(postgresqlPaths.stranger), nowMs: Date.now() }),
  decide: decideStrangerCheck,
  apply: async () => {},
}

/** repmgrd has nobody to ask. */
const repmgrd = answering<Context>(
  postgresqlUnits.repmgrd,
  async () => !(await isStopped(postgresqlUnits.repmgrd)),
)

/**
 * This component's lines of the periodic check. Old data and a failed rejoin first: of several lines the status shows only the first,
 * and a machine whose data is old cannot rejoin as the primary.
 */
export const lines = [
  stale,
  rejoin,
  starts,
  stranger,
  database,
  disk,
  replaced,
  repmgrd,
  damagedPages,
  settings,
  restart,
  readable('databases', postgresqlKeys.nodes),
]
