import type { Entry } from '../../../lib/consul/entry.ts'
import type { Leadership } from '../../../lib/consul/leadership.ts'
import type { Leader, Primary } from '../../../lib/consul/manifest.ts'
import type { Folder } from '../../../lib/files/manifest.ts'
import type { FilesReport } from '../../../lib/files/report.ts'

export const NOW = '2026-01-02T03:04:05.678Z'

export const addressOf = (node: string): string => `10.77.0.${10 + Number(node.slice(1))}`

/** ModifyIndex of a lock that was never taken. */
const INDEX = 100

/** The lock: last taken by `node`, held by `session` or free. */
export const lock = (node: string, session: string | null, lockIndex: number): Entry<Leader> => ({
  value: { schema: 1, node, since: NOW, why: 'a test' },
  modifyIndex: INDEX + lockIndex,
  lockIndex,
  session,
})

export const published = (node: string, timeline: number, epoch: number): Primary => ({
  schema: 1,
  node,
  address: addressOf(node),
  port: 5432,
  timeline,
  epoch,
  index: INDEX + epoch,
})

/** The same by a build that knew LockIndex only. */
export function publishedBefore(node: string, timeline: number, epoch: number): Primary {
  const { index: _, ...known } = published(node, timeline, epoch)
  return known
}

/** n1 is published and holds the lock under which it was published. */
export const leadOfN1: Leadership = { leader: lock('n1', 'session-n1', 7), primary: published('n1', 3, 7) }
/** The machine of n1 has gone and Consul has taken its lock back. */
export const lockReleased: Leadership = { leader: lock('n1', null, 7), primary: published('n1', 3, 7) }
/** n2 has the lock and is not published yet. */
export const lockTaken: Leadership = { leader: lock('n2', 'session-n2', 8), primary: published('n1', 3, 7) }
export const leadOfN2: Leadership = { leader: lock('n2', 'session-n2', 8), primary: published('n2', 4, 8) }

/** The device id of a machine's Syncthing. */
export const deviceOf = (node: string): string =>
  Array.from({ length: 8 }, () => 'ABCDEFGHIJ'.charAt(Number(node.slice(1))).repeat(7)).join('-')

/** What a report has of a folder that was walked through at `NOW`. */
export const walkedWith = (conflicts: number, sequence: number): FilesReport['folders'][string] => ({
  ...{ conflicts, special: null, sequence, atMs: Date.parse(NOW), tookMs: 1 },
})

/** A replicated folder with a label. */
export const folderAt = (label: string, path: string, difference: Partial<Folder> = {}): Folder => ({
  id: `${label}-1`,
  path,
  owner: 'root',
  group: 'root',
  mode: '0755',
  ignore: [],
  versioning: false,
  mergeFiles: false,
  ...difference,
})
