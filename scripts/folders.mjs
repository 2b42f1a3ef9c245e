#!/usr/bin/env zx
// understudy folders: lists and changes the directories that have the same files on every machine.
import { setTimeout as sleep } from 'node:timers/promises'
import { Consul } from '#lib/consul/client'
import { runCommand } from '#lib/core/arguments'
import { EXIT, UnderstudyError } from '#lib/core/errors'
import { byKey } from '#lib/core/order'
import { requireRoot } from '#lib/core/root'
import { requireSettings } from '#lib/core/settings'
import {
  changeFolders,
  describeDirectory,
  uniquePart,
  withFolder,
  withoutFolder,
} from '#lib/files/change-folders'
import { localSyncthing } from '#lib/files/client'
import { copyText } from '#lib/files/decide-copy'
import { readSharedFolders } from '#lib/files/document'
import { parseFoldersCommand } from '#lib/files/folder-options'
import { observeFiles } from '#lib/files/observe'
import { readReport } from '#lib/files/report'
import { runSyncthingHandler } from '#lib/files/run'

const help = `understudy folders: list and change the replicated folders, which have the same files on every machine

  understudy folders list [--json]
  understudy folders add PATH [settings]     run it on a machine that has the directory
  understudy folders remove LABEL|PATH       the files stay on every machine

Settings of a folder. To change them, run add with the same path again:
  --label LABEL      the name of the folder (default: the last part of PATH)
  --ignore PATTERN   do not replicate what matches; can be repeated, see
                     https://docs.syncthing.net/users/ignoring.html
  --versioning       keep what other machines replace or delete in .stversions, for up to a year
  --merge-files      let machines that already have files in that directory merge them into the folder; without it they
                     do not share the folder, and their check says so

  --json             print the list as one JSON object
  --help             print this text

A machine that lacks the directory creates it with the same owner and mode. A file takes the owner of its directory on
every machine. A deleted file is deleted everywhere. An emptied or missing disk deletes nothing: it stops the folder on
its machine. So does something that is mounted inside the folder.

Exit codes:
  0   done
  64  wrong arguments, or a directory that cannot be replicated; nothing was changed
  78  not a member, not root, a disk that is full or read-only, or something is mounted inside PATH; nothing was changed
  69  Consul or Syncthing does not answer
  75  other machines kept changing the list of folders; try again
  1   the folder is in the list now, but this machine could not share it yet

Examples:
  understudy folders add /srv/uploads --label uploads --ignore '*.part' --versioning
  understudy folders list
  understudy folders remove uploads
`

/** How long the other machines have to share a new folder, before the command reports that they do not. */
const OTHERS_MS = 15_000
/** From one look to the next. */
const LOOK_AGAIN_MS = 300

const print = (/** @type {string} */ line) => process.stdout.write(`${line}\n`)

/** @param {import('#lib/files/decide-copy').FolderCopies} folder @param {string} node */
const copiesOf = ({ here, others }, node) => [...others, /** @type {const} */ ([node, here])].sort(byKey)

/** Every folder of the cluster, with the copy of each machine. @param {Consul} consul @param {string} node */
async function look(consul, node) {
  const shared = await readSharedFolders(consul)
  if (shared === null)
    throw new UnderstudyError(EXIT.data, "Consul's key syncthing/folders is missing or malformed")
  const { folders: copies } = await observeFiles(localSyncthing())
  const folders = [...shared.valid].map(([label, { id: _id, ...folder }]) => {
    const found = copies.find((one) => one.label === label)
    return { label, ...folder, machines: found ? Object.fromEntries(copiesOf(found, node)) : null }
  })
  return { schema: 1, folders, problems: readReport()?.problems ?? [] }
}

/** @param {Awaited<ReturnType<typeof look>>} seen @param {string} node */
function linesOf({ folders, problems }, node) {
  const lines = folders.flatMap(({ label, path, owner, group, mode, ignore, versioning, machines }) => [
    `${label}  ${path}  (${owner}:${group} ${mode}${versioning ? ', keeps versions' : ''}${ignore.length > 0 ? `, ignores ${ignore.join(' ')}` : ''})`,
    ...Object.entries(machines ?? {}).map(
      ([name, copy]) => `  ${name}  ${copyText(copy)}${copy.why === undefined ? '' : `: ${copy.why}`}`,
    ),
    ...(machines === null ? [`  ${node}  not shared`] : []),
  ])
  return [
    ...(folders.length === 0 ? ['no folders are replicated'] : lines),
    ...problems.map((one) => `problem: ${one}`),
  ]
}

/**
 * @param {Consul} consul
 * @param {string} node
 * @param {Extract<import('#lib/files/folder-options').FoldersCommand, { verb: 'add' }>} command
 */
async function add(consul, node, command) {
  const path = command.path.replace(/(.)\/+$/, '$1')
  const directory = await describeDirectory(path)
  const daemon = localSyncthing()
  // What this machine cannot share must not become a folder of the cluster.
  await daemon.deviceId()
  const unique = uniquePart()
  const { label, isNew } = await changeFolders(consul, (document) =>
    withFolder(document, { ...command, path }, directory, unique),
  )
  // A new folder starts with the files that are here.
  await runSyncthingHandler(isNew || command.mergeFiles ? path : null)
  const deadline = performance.now() + OTHERS_MS
  for (;;) {
    const folder = (await observeFiles(daemon)).folders.find((one) => one.label === label)
    if (!folder) {
      const why = readReport()?.problems.join('; ') || 'the handler files has not shared it'
      throw new UnderstudyError(
        EXIT.failed,
        `${label} is a folder of the cluster now, but ${node} does not share it: ${why}`,
      )
    }
    const others = [...folder.others]
    const away = others.filter(([, { state }]) => state === 'not-shared' || state === 'disconnected')
    if (away.length > 0 && performance.now() < deadline) {
      await sleep(LOOK_AGAIN_MS)
      continue
    }
    print(`${label} is replicated: ${path}`)
    for (const [name, copy] of copiesOf(folder, node)) print(`  ${name}  ${copyText(copy)}`)
    for (const [name, { state }] of away)
      if (state === 'not-shared') print(`${name} does not share it yet; the check of ${name} says why`)
    return
  }
}

/** @param {string[]} argv */
async function main(argv) {
  const command = parseFoldersCommand(argv)
  const { node, kvPrefix } = requireSettings()
  requireRoot()
  const consul = new Consul({ prefix: kvPrefix })
  if (command.verb === 'list') {
    const seen = await look(consul, node)
    print(command.json ? JSON.stringify(seen, null, 2) : linesOf(seen, node).join('\n'))
  } else if (command.verb === 'add') await add(consul, node, command)
  else {
    const { label } = await changeFolders(consul, (document) => withoutFolder(document, command.what))
    await runSyncthingHandler(null)
    print(`${label} is no longer replicated; its files stay on every machine`)
  }
}

await runCommand('understudy folders', help, main)
