import { existsSync } from 'node:fs'
import { readText, replaceFile } from '../core/atomic-files.ts'
import { foldersIn } from './config.ts'
import type { FilesGateFacts, FilesGatePlan } from './decide-gate.ts'
import { filesPaths } from './manifest.ts'
import { lookInside, readMountPoints, readRememberedMounts, rememberMounts } from './mounts.ts'

/** Syncthing's configuration on the disk, and what is mounted inside its folders. */
export function observeFilesGate(): FilesGateFacts {
  const config = readText(filesPaths.config) ?? ''
  const paths = foldersIn(config).map(({ path }) => path)
  // Whoever looks makes an automount mount its disk. In Syncthing's own namespace, nobody can.
  for (const path of paths) existsSync(`${path}/.`)
  const [points, remembered] = [readMountPoints(), readRememberedMounts()]
  const mounts = paths.map((path) => [path, lookInside(path, points, remembered)] as const)
  return { config, mounts: new Map(mounts), remembered }
}

/** Only before Syncthing runs: it writes its configuration itself. */
export function applyFilesGate({ do: what, config, remember }: FilesGatePlan): void {
  if (what === 'nothing') return
  rememberMounts(remember)
  replaceFile(filesPaths.config, config, { mode: 0o600 })
}
