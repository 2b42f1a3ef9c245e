import { rmSync } from 'node:fs'
import type { Context } from '../consul/handler.ts'
import { consulKeys } from '../consul/manifest.ts'
import { readText, replaceFile } from '../core/atomic-files.ts'
import { keepMoves } from './client.ts'
import { localDatabase } from './database.ts'
import { postgresqlPaths, postgresqlUnits } from './manifest.ts'
import { HEALTH_CHECKS } from './observe-failover.ts'

/** A run of the upkeep has begun: until it is complete, every look at the primary starts it again. */
export const unmarkKeptUp = (): void => rmSync(postgresqlPaths.keptUp, { force: true })

/** The upkeep of the primary has nothing left to do. */
export const markKeptUp = (epoch: number): boolean => replaceFile(postgresqlPaths.keptUp, `${epoch}\n`)

/**
 * The epoch for which the upkeep of this primary has nothing left to do; null if it has. Asks, without a use for the answers, what the
 * upkeep acts on in Consul: when one of them changes, `quick-check` lets the check look again. While clients write, only the upkeep has
 * something to do: it records how far commits are confirmed.
 */
export async function observeKeptUp({ settings, consul }: Context): Promise<number | null> {
  keepMoves(localDatabase('understudy_monitor', settings.postgresqlPort), postgresqlUnits.failover)
  // What does not answer, other lines report.
  await Promise.allSettled([
    consul.checks(HEALTH_CHECKS),
    consul.get(consulKeys.config),
    consul.get(consulKeys.seats),
  ])
  const text = readText(postgresqlPaths.keptUp)
  return text === null ? null : Number(text)
}
