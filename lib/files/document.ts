import type { Consul } from '../consul/client.ts'
import { EXIT, UnderstudyError } from '../core/errors.ts'
import { type Folders, readFolders } from './decide-folders.ts'
import { filesKeys } from './manifest.ts'

/**
 * The replicated folders of the cluster; null if the document is missing or malformed as a whole.
 * @throws where Consul does not answer.
 */
export async function readSharedFolders(consul: Consul): Promise<Folders | null> {
  try {
    const document = await consul.get(filesKeys.folders)
    return document === null ? null : readFolders(document.value)
  } catch (error) {
    if (error instanceof UnderstudyError && error.exitCode === EXIT.data) return null
    throw error
  }
}
