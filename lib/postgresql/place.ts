import { lstatSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { readText } from '../core/atomic-files.ts'
import type { PlaceFacts } from './decide-directory.ts'

/** What lies where a copy of the primary would go. */
export function lookAtPlace(place: string): PlaceFacts {
  // proc_pid_mountinfo(5): the mount point is the fifth field, with blanks in octal.
  const mounts = (readText('/proc/self/mountinfo') ?? '')
    .split('\n')
    .map((line) => (line.split(' ')[4] ?? '').replace(/\\(\d{3})/g, (_all, code: string) => octal(code)))
  const found = lstatSync(place, { throwIfNoEntry: false })
  return {
    place,
    kind: found?.isSymbolicLink()
      ? 'link'
      : mounts.includes(place)
        ? 'mount point'
        : found
          ? 'directory'
          : 'missing',
    mountsBelow: mounts.filter((point) => point.startsWith(`${place}/`)),
    links: found?.isDirectory() ? linksIn(place) : [],
  }
}

const octal = (code: string): string => String.fromCharCode(Number.parseInt(code, 8))

const linksIn = (directory: string): string[] =>
  readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isSymbolicLink())
    .map(({ name }) => join(directory, name))
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isDirectory() !== false)
