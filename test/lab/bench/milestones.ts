/** What a failover is made of. */
import { consulKeys } from '../../../lib/consul/manifest.ts'
import { addressOf } from '../lib/cluster.ts'
import type { Writer } from '../lib/writer.ts'
import type { Scene } from './stage.ts'
import type { Watch } from './watch.ts'

/** Milliseconds from the event; null where it was not seen. */
export interface Milestones {
  readonly lockReleasedMs: number | null
  readonly promotedMs: number | null
  readonly publishedMs: number | null
  readonly firstWriteMs: number | null
}

/** When a machine's PostgreSQL last became ready, by its own log; epoch milliseconds, 0 where it does not say. */
async function readyAt({ lab }: Scene, machine: string): Promise<number> {
  const script = `sed -n 's/^\\(.*\\) UTC .*database system is ready to accept connections$/\\1/p' \\
    /var/log/postgresql/postgresql-*-main.log | tail -n 1`
  const { stdout } = await lab.exec(machine, ['sh', '-c', script])
  return Date.parse(`${stdout.trim().replace(' ', 'T')}Z`) || 0
}

/** Reads them after the event. */
export async function milestonesOf(
  scene: Scene,
  at: number,
  watch: Watch,
  { acknowledged }: Writer,
): Promise<Milestones> {
  const old = addressOf(scene.lab, scene.primary)
  const published = watch.first(
    at,
    ({ key, value }) => key === consulKeys.primary.path && value.node !== scene.primary,
  )
  const since = (time: number | undefined): number | null =>
    time === undefined || time < at ? null : time - at
  return {
    lockReleasedMs: since(watch.first(at, ({ key, held }) => key === consulKeys.leader.path && !held)?.at),
    promotedMs: published?.value.node ? since(await readyAt(scene, published.value.node)) : null,
    publishedMs: since(published?.at),
    firstWriteMs: since(acknowledged.find((write) => write.at > at && write.server !== old)?.at),
  }
}
