import { foldersIn, withPaused } from './config.ts'
import { type FolderMounts, mountProblem, toRemember } from './decide-mounts.ts'

export interface FilesGateFacts {
  /** Syncthing's config.xml; empty where there is none yet. */
  config: string
  /** What is, or was, mounted inside each folder, by its path. */
  mounts: ReadonlyMap<string, FolderMounts>
  remembered: readonly string[]
}

export interface FilesGatePlan {
  do: 'nothing' | 'pause'
  why: string
  config: string
  remember: readonly string[]
}

/** Pauses the folders that must not be scanned as they are. The handler `files` resumes them. */
export function decideFilesGate({ config, mounts, remembered }: FilesGateFacts): FilesGatePlan {
  const wrong = foldersIn(config).flatMap(({ id, label, path, paused }) => {
    const inside = mounts.get(path)
    const problem = inside ? mountProblem(label, inside) : null
    return problem === null || paused ? [] : [{ id, problem }]
  })
  const remember = toRemember(mounts)
  if (wrong.length === 0 && remember.join('\n') === [...remembered].join('\n'))
    return { do: 'nothing', why: 'nothing has changed inside the folders', config, remember }
  return {
    do: 'pause',
    why: wrong.map(({ problem }) => problem).join('; ') || 'what is mounted inside the folders has changed',
    config: withPaused(
      config,
      wrong.map(({ id }) => id),
    ),
    remember,
  }
}
