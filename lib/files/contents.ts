import type { SharedFolder } from './api.ts'
import type { Syncthing } from './client.ts'
import type { Need } from './decide-confirmation.ts'

/** What the folders held when a wait began, so that files that are made later can be left out. */
export type Contents = ReadonlyMap<
  string,
  {
    /** Every file and directory; null: Syncthing could not list them. */
    names: ReadonlySet<string> | null
    /** This machine's sequence number then. */
    sequence: number
  }
>

/** Reads what the folders hold now at or below `path`. What others lack now counts as held, deletes included. */
export async function readContents(
  daemon: Syncthing,
  folders: readonly SharedFolder[],
  path: string | null,
  lacking: readonly Need[],
  timeoutMs: number,
): Promise<Contents> {
  const entries = folders.map(async ({ id }) => {
    const [listed, sequence] = await Promise.all([
      // Syncthing refuses where a directory was deleted on one machine and filled on another.
      daemon.names(id, path, timeoutMs).catch(() => null),
      daemon.sequence(id),
    ])
    const needed = lacking.filter(({ folderId }) => folderId === id).map(({ name }) => name)
    const names = listed && new Set([...listed, ...needed, ...(path === null ? [] : [path])])
    return [id, { names, sequence }] as const
  })
  return new Map(await Promise.all(entries))
}

/**
 * Leaves out the needs of one machine for files that were made later. A file that was there counts, however it has changed
 * since. Of deletes from before, one is returned: it is enough to know that the machine is not complete.
 */
export async function needsOf(
  daemon: Syncthing,
  contents: Contents,
  needs: readonly Need[],
): Promise<readonly Need[]> {
  const counted = needs.filter(({ folderId, name }) => contents.get(folderId)?.names?.has(name) ?? true)
  if (counted.length > 0) return counted
  for (const need of needs) {
    if (!need.deleted) continue
    const here = await daemon.file(need.folderId, need.name)
    if ((here?.sequence ?? 0) <= (contents.get(need.folderId)?.sequence ?? 0)) return [need]
  }
  return []
}
