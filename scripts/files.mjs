#!/usr/bin/env zx
// understudy files: what was written into a replicated folder is on the other machines, or it is said that it is not.
import { relative, resolve } from 'node:path'
import { runCommand } from '#lib/core/arguments'
import { EXIT, UnderstudyError, usageError } from '#lib/core/errors'
import { requireSettings } from '#lib/core/settings'
import { localSyncthing } from '#lib/files/client'
import { isWithin } from '#lib/files/decide-folders'
import { parseFilesCommand } from '#lib/files/options'
import { checkSource, isStill, placeOf, writeFile } from '#lib/files/put'
import { prepare, waitForCopies } from '#lib/files/wait'

const help = `understudy files: confirm that files are on the other machines

  understudy files put SOURCE DEST    write a file into a replicated folder, and wait
  understudy files wait               wait for everything that is in the folders now

put writes atomically: the others get the whole file or none of it. SOURCE "-" is standard input. DEST is a file in a
replicated folder, or a directory there. The file gets the mode of what it replaces, else of SOURCE; put as root, it
belongs to whom what it replaces belongs to, else its directory.

  --folder LABEL       only this folder (wait)
  --path PATH          only what is at or below this path: absolute, or in --folder (wait)
  --min-copies COPIES  a number of other machines; all; majority: enough for a majority with this one (default)
  --timeout SECONDS    give up after this long (30)
  --json               the result as one JSON object
  --help               this text

Runs on any member, as root or as a user of the group understudy-files, also while Consul does not answer.

Exit codes: 0 confirmed; 75 not confirmed in time, the message says which machine lacks what (the file stays and may
still get there); 64 wrong arguments, nothing was written; 69 Syncthing does not answer, or the folder is stopped here;
78 not a member, or not allowed; 1 it could not be written, or was changed by somebody else meanwhile.

Examples:
  understudy files put blueprint.zip /opt/manager/resources/blueprints/
  tar -c plugins | understudy files put - /opt/manager/resources/plugins.tar --min-copies all
  understudy files wait --folder resources --timeout 120
  understudy files wait --path /opt/manager/resources/blueprints --json
`

/** @typedef {import('#lib/files/api').SharedFolder} SharedFolder */
/** @typedef {import('#lib/files/client').Syncthing} Syncthing */

/**
 * The folders and the path in them that a wait is about.
 * @param {readonly SharedFolder[]} folders
 * @param {Extract<import('#lib/files/options').FilesCommand, { verb: 'wait' }>} command
 */
function scopeOf(folders, { folder: label, path }) {
  const known = folders.map((folder) => folder.label).join(', ') || 'none'
  const named = label === null ? folders : folders.filter((folder) => folder.label === label)
  if (label !== null && named.length === 0)
    throw usageError(`there is no folder ${label}; they are: ${known}`)
  if (path === null) return { folders: named, path }
  // Where it is not absolute, a folder is named.
  const at = resolve(named[0]?.path ?? '/', path)
  const around = named.find((folder) => isWithin(at, folder.path))
  if (!around)
    throw usageError(`${at} is not in ${label === null ? 'a replicated folder' : `the folder ${label}`}`)
  return { folders: [around], path: relative(around.path, at) || null }
}

/**
 * @param {Syncthing} daemon
 * @param {import('#lib/files/options').FilesCommand} command
 */
async function carryOut(daemon, command) {
  const folders = await daemon.folders()
  const { minCopies, timeoutMs } = command
  if (command.verb === 'wait')
    return waitForCopies(daemon, { ...scopeOf(folders, command), minCopies, timeoutMs })
  checkSource(command.source)
  const place = placeOf(command.source, command.destination, folders)
  await prepare(daemon, [place.folder], minCopies)
  const written = await writeFile(command.source, place)
  const what = { folders: [place.folder], path: place.path, minCopies, timeoutMs }
  const waited = await waitForCopies(daemon, what).catch((cause) => {
    // Only now can it be known: nobody but Syncthing understands its patterns.
    if (cause instanceof UnderstudyError && cause.exitCode === EXIT.usage)
      throw new UnderstudyError(EXIT.failed, `${place.file} was written, but stays on this machine`, {
        cause,
      })
    throw cause
  })
  if (!isStill(written, place))
    throw new UnderstudyError(
      EXIT.failed,
      `${place.file} was changed by somebody else at the same time; look at it and put it again`,
    )
  return { file: place.file, ...waited }
}

/** @param {Awaited<ReturnType<typeof carryOut>>} result */
function sentenceOf({ complete, lacking, ms }) {
  const where =
    complete.length > 0 ? `on ${complete.join(' and ')}` : 'on this machine alone: there is no other'
  return `confirmed ${where}, after ${(ms / 1000).toFixed(1)} s${lacking.length > 0 ? ` (${lacking.join('; ')})` : ''}`
}

/** @param {string[]} argv */
async function main(argv) {
  const command = parseFilesCommand(argv)
  requireSettings()
  const result = await carryOut(localSyncthing(), command)
  process.stdout.write(command.json ? `${JSON.stringify(result)}\n` : `${sentenceOf(result)}\n`)
}

await runCommand('understudy files', help, main)
