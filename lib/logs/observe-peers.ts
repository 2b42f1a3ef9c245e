import { existsSync, readdirSync, statSync } from 'node:fs'
import { valueIn } from '../consul/entry.ts'
import type { Context } from '../consul/handler.ts'
import { consulKeys } from '../consul/manifest.ts'
import { readText } from '../core/atomic-files.ts'
import { orUnknown, UNKNOWN } from '../core/unknown.ts'
import type { LogPeersFacts, Upload } from './decide-peers.ts'
import { logsPaths } from './manifest.ts'

/** Persistent, and in memory. */
const JOURNALS = ['/var/log/journal', '/run/log/journal']
const SUFFIX = '.env'

/** Reads the members, and how far each has the log of this machine. */
export async function observeLogPeers({ settings, consul }: Context): Promise<LogPeersFacts> {
  const [seats, members] = await Promise.all([
    orUnknown(consul.get(consulKeys.seats)),
    orUnknown(consul.members()),
  ])
  return {
    node: settings.node,
    seats: valueIn(seats),
    uploads: readUploads(),
    alive: members === UNKNOWN ? UNKNOWN : members.flatMap(({ name, alive }) => (alive ? [name] : [])),
    setUp: existsSync(logsPaths.receiver),
  }
}

function readUploads(): Record<string, Upload> {
  if (!existsSync(logsPaths.uploads)) return {}
  const writtenMs = journalWrittenMs()
  const names = readdirSync(logsPaths.uploads)
    .filter((file) => file.endsWith(SUFFIX))
    .map((file) => file.slice(0, -SUFFIX.length))
  return Object.fromEntries(
    names.map((name) => {
      const sentMs = modifiedMs(logsPaths.state(name))
      const behindMs = writtenMs === null || sentMs === null ? null : Math.max(0, writtenMs - sentMs)
      return [name, { text: readText(logsPaths.upload(name)) ?? '', behindMs }]
    }),
  )
}

/** When the last line was written into the journal of this machine: journald sets the time of the file soon after each. */
function journalWrittenMs(): number | null {
  const machine = readText('/etc/machine-id')?.trim()
  const times = JOURNALS.map((directory) => modifiedMs(`${directory}/${machine}/system.journal`))
  return times.reduce((latest, time) => (time !== null && time > (latest ?? 0) ? time : latest), null)
}

/** @returns null where there is none, or this user may not know. */
function modifiedMs(path: string): number | null {
  try {
    return statSync(path).mtimeMs
  } catch {
    return null
  }
}
