import { rmSync } from 'node:fs'
import type { Context } from '../consul/handler.ts'
import { consulKeys } from '../consul/manifest.ts'
import { readNote, replaceFile } from '../core/atomic-files.ts'
import { keepQuestion } from '../core/questions.ts'
import { localDatabase } from './database.ts'
import { postgresqlPaths } from './manifest.ts'
import { HEALTH_CHECKS } from './observe-failover.ts'
import type { Recorder } from './recorder.ts'

interface KeptUp {
  epoch: number
  recorder: Recorder
}

/** A run of the upkeep has begun: until it is complete, every look at the primary starts it again. */
export const unmarkKeptUp = (): void => rmSync(postgresqlPaths.keptUp, { force: true })

/** The upkeep of the primary has nothing left to do. */
export const markKeptUp = (keptUp: KeptUp): boolean =>
  replaceFile(postgresqlPaths.keptUp, `${JSON.stringify(keptUp)}\n`)

/**
 * The epoch for which the upkeep of this primary has nothing left to do; null if it has. Asks, without a use for the answers, what the
 * upkeep acts on in Consul: when one of them changes, `quick-check` lets the check look again. Meanwhile that goes on recording how far
 * commits are confirmed.
 */
export async function observeKeptUp({ settings, consul }: Context): Promise<number | null> {
  // What does not answer, other lines report.
  await Promise.allSettled([
    consul.checks(HEALTH_CHECKS),
    consul.get(consulKeys.config),
    consul.get(consulKeys.seats),
  ])
  const keptUp = readNote<KeptUp>(postgresqlPaths.keptUp)
  if (!keptUp?.recorder) return null
  const { host, port, user, database } = localDatabase('understudy_monitor', settings.postgresqlPort)
  const { statement, transaction } = keptUp.recorder
  keepQuestion('record', host, port, user, database, statement, transaction)
  return keptUp.epoch
}
