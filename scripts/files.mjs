#!/usr/bin/env zx
// understudy files: confirms that what was written into a replicated folder is on the other machines.
import { relative, resolve } from 'node:path'
import { runCommand } from '#lib/core/arguments'
import { EXIT, UnderstudyError, usageError } from '#lib/core/errors'
import { requireSettings } from '#lib/core/settings'
import { localSyncthing } from '#lib/files/client'
import { isWithin } from '#lib/files/decide-folders'
import { nameProblem } from '#lib/files/decide-names'
import { parseFilesCommand } from '#lib/files/options'
import { checkSource, isStill, placeOf, writeFile } from '#lib/files/put'
import { prepare, waitForCopies } from '#lib/files/wait'

const help = `understudy files: confirm that files are on the other machines

  understudy files put SOURCE DEST    write a file into a replicated folder, and wait until it is confirmed
  understudy files wait               wait until everything that is in the folders now is confirmed

Confirmed means: enough other machines are connected and have announced that they have everything.

put writes atomically: the other machines get the whole file or nothing. SOURCE "-" is standard input. DEST is a file
in a replicated folder, or a directory there. A file that put replaces keeps its mode, and if root runs put also its
owner. A new file gets the mode of SOURCE, and if root runs put the owner of its directory.

  --folder LABEL       wait for this folder only (wait)
  --path PATH          wait for this path and what is below it: absolute, or relative to --folder (wait)
  --min-copies COPIES  how many other machines must have everything: a number; all; or majority, which is enough for a
                       majority together with this machine (default: majority)
  --timeout SECONDS    give up after this time (default: 30)
  --json               print the result as one JSON object
  --help               print this text

Any member can run it, as root or as a user of the group understudy-files, even while Consul does not answer.

Exit codes:
  0   confirmed
  75  not confirmed in time; the message says what each machine lacks, and it may still arrive
  64  wrong arguments, or a name that cannot be replicated; nothing was written
  69  Syncthing does not answer, or the folder is stopped on this machine
  78  this machine is not a member, or this user is not allowed
  1   the file could not be written or read, is not replicated, or was changed by somebody else at the same time

Examples:
  understudy files put blueprint.zip /opt/manager/resources/blueprints/
  tar -c plugins | understudy files put - /opt/manager/resources/plugins.tar --min-copies all
  understudy files wait --folder resources --timeout 120
  understudy files wait --path /opt/manager/resources/blueprints --json
`

/** @typedef {import('#lib/files/api').SharedFolder} SharedFolder */
/** @typedef {import('#lib/files/client').Syncthing} Syncthing */

/**
 * The folders to wait for, and the path in them.
 * @param {readonly SharedFolder[]} folders
 * @param {Extract<import('#lib/files/options').FilesCommand, { verb: 'wait' }>} command
 */
function scopeOf(folders, { folder: label, path }) {
  const labels = folders.map((folder) => folder.label).join(', ') || 'none'
  const named = label === null ? folders : folders.filter((folder) => folder.label === label)
  if (label !== null && named.length === 0)
    throw usageError(`there is no folder ${label}; the folders are: ${labels}`)
  if (path === null) return { folders: named, path }
  // A relative path comes with a folder.
  const at = resolve(named[0]?.path ?? '/', path)
  const around = named.find((folder) => isWithin(at, folder.path))
  if (!around)
    throw usageError(`${at} is not in ${label === null ? 'a replicated folder' : `the folder ${label}`}`)
  const inside = relative(around.path, at)
  const wrong = nameProblem(inside)
  if (wrong !== null) throw usageError(wrong)
  return { folders: [around], path: inside || null }
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
    // Only Syncthing can tell whether it ignores a file, and only once the file is there.
    if (cause instanceof UnderstudyError && cause.exitCode === EXIT.usage)
      throw new UnderstudyError(EXIT.failed, `${place.file} was written, but only on this machine`, {
        cause,
      })
    throw cause
  })
  if (!isStill(written, place))
    throw new UnderstudyError(
      EXIT.failed,
      `somebody else changed ${place.file} at the same time; check the file, and put it again`,
    )
  return { file: place.file, ...waited }
}

/** @param {Awaited<ReturnType<typeof carryOut>>} result */
function sentenceOf({ complete, lacking, ms }) {
  const others = complete.length + lacking.length === 0 ? ': there is no other machine' : ''
  const where = complete.length > 0 ? `on ${complete.join(' and ')}` : `on this machine only${others}`
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
