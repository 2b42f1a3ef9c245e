import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Consul } from '../consul/client.ts'
import { readNote, replaceFile } from '../core/atomic-files.ts'
import { type TaskRecord, taskKeys, taskPaths } from './manifest.ts'

/** An outcome that Consul does not have yet. */
interface Pending {
  name: string
  digest: string
  outcome: TaskRecord
}

const fileOf = (runId: string): string => join(taskPaths.outbox, `${runId}.json`)

/** Survives a power cut. */
export function keepOutcome(runId: string, pending: Pending): void {
  replaceFile(fileOf(runId), JSON.stringify(pending))
}

export function dropOutcome(runId: string): void {
  rmSync(fileOf(runId), { force: true })
}

/** Runs whose outcomes are kept here. */
export function keptOutcomes(): string[] {
  try {
    return readdirSync(taskPaths.outbox).flatMap((file) => /^([0-9a-f]+)\.json$/.exec(file)?.[1] ?? [])
  } catch {
    return []
  }
}

/** Tells Consul an outcome that this machine keeps, unless another run has started the task since. */
export async function sendOutcome(consul: Consul, runId: string): Promise<void> {
  const pending = readNote<Pending>(fileOf(runId))
  if (pending === null) return dropOutcome(runId)
  const key = taskKeys.outcome(pending.name, pending.digest)
  const entry = await consul.get(key)
  const isMissing = entry?.value.run === runId && entry.value.state === 'started'
  if (isMissing && !(await consul.compareAndSet(key, pending.outcome, entry))) return
  dropOutcome(runId)
}
