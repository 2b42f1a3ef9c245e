import * as v from 'valibot'
import definitions from '../../consul-config/files.json' with { type: 'json' }
import { definitionsOf } from '../consul/definitions.ts'
import type { Context } from '../consul/handler.ts'
import type { Joining } from '../consul/joining.ts'
import { type Component, describe } from '../core/component.ts'
import { key } from '../core/key.ts'
import { etc, run } from '../core/paths.ts'

import { address } from '../core/schema.ts'

const syncthingNode = v.object({
  schema: v.literal(1),
  deviceId: v.pipe(v.string(), v.regex(/^([A-Z2-7]{7}-){7}[A-Z2-7]{7}$/, 'not a device id of Syncthing')),
  address,
})
export type SyncthingNode = v.InferOutput<typeof syncthingNode>

/** A folder that every member has the same files in. */
export const folder = v.object({
  /** Syncthing's name of it. Never used again, so that a folder that was removed and added elsewhere is another one. */
  id: v.pipe(v.string(), v.regex(/^[a-z0-9][a-z0-9-]{0,79}$/, 'not the id of a folder')),
  path: v.pipe(v.string(), v.startsWith('/')),
  /** Names of the directory's owner and group, and its mode in octal: where it is missing, it is made so. */
  owner: v.string(),
  group: v.string(),
  mode: v.pipe(v.string(), v.regex(/^[0-7]{4}$/, 'not a mode in octal')),
  /** Patterns of what is not replicated, see https://docs.syncthing.net/users/ignoring.html. */
  ignore: v.array(v.string()),
  /** Keep what others replace or delete. */
  versioning: v.boolean(),
  /** Take in what a machine already has in a directory of this path. */
  mergeFiles: v.boolean(),
})
export type Folder = v.InferOutput<typeof folder>
/** What a directory is made like. */
export type Ownership = Pick<Folder, 'owner' | 'group' | 'mode'>

const folders = v.object({
  schema: v.literal(1),
  /** By label. Each is checked on its own, so that one that is malformed does not hide the others. */
  folders: v.custom<Record<string, unknown>>(
    (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
    'not by label',
  ),
})
export type FoldersDocument = v.InferOutput<typeof folders>

export const filesKeys = {
  nodes: key('syncthing/nodes/', syncthingNode),
  node: (nodeName: string) => key(`syncthing/nodes/${nodeName}`, syncthingNode),
  folders: key('syncthing/folders', folders),
} as const

export const filesPaths = {
  /** The key to Syncthing's API, for those who may have it. */
  apiKey: `${etc}/syncthing.key`,
  /** What the last look at the replicated folders found. */
  report: `${run}/files/report.json`,
  lock: `${run}/files/lock`,
  /** Which machines the check has found without a connection, and since when. */
  away: `${run}/check/files-away.json`,
  /** Syncthing's keys, configuration and database. */
  home: '/var/lib/understudy/syncthing',
  config: '/var/lib/understudy/syncthing/config.xml',
  certificate: '/var/lib/understudy/syncthing/cert.pem',
  /** What was mounted inside folders when we looked last. */
  mounts: '/var/lib/understudy/syncthing/mounts.json',
  /** Which markers the folders have had, by their ids. */
  markers: '/var/lib/understudy/syncthing/markers.json',
  /** What is mounted in Syncthing's mount namespace, which nothing changes after its start. */
  view: `${run}/files/view`,
} as const

export const filesUnits = {
  syncthing: 'understudy-syncthing.service',
  files: 'understudy-files.service',
} as const

/** Syncthing, which keeps some directories the same on every machine. */
export const files: Component<Context, Joining> = /* @__PURE__ */ describe(() => ({
  name: 'files',
  title: 'Syncthing',
  keys: filesKeys,
  keysAbout: [
    { key: 'syncthing/nodes/NODE', holds: "id and address of the machine's Syncthing", writtenBy: 'join' },
    {
      key: 'syncthing/folders',
      holds: 'the replicated folders by label',
      writtenBy: 'first join, `understudy folders`',
    },
  ],
  paths: filesPaths,
  filesAbout: [
    { path: filesPaths.apiKey, holds: "key to Syncthing's API" },
    {
      path: filesPaths.report,
      holds: 'problems that `files` leaves to a person, and the number of conflict files',
    },
    { path: filesPaths.lock, holds: 'lock of `files`' },
    { path: filesPaths.away, holds: 'machines that the check found without a connection, and since when' },
    { path: filesPaths.home, holds: "Syncthing's keys, configuration and database" },
    { path: filesPaths.mounts, holds: 'mount points that `files` has found inside folders' },
    {
      path: filesPaths.markers,
      holds: "when each folder's marker was made, to recognise a replaced directory",
    },
    { path: filesPaths.view, holds: "what is mounted in Syncthing's namespace" },
  ],
  ports: [
    { port: '22000/tcp', what: 'Syncthing', from: "the members' network" },
    { port: '8384/tcp', what: "Syncthing's API", from: 'loopback only, with a key or a password' },
  ],
  handlers: [
    {
      name: 'files',
      user: 'understudy-syncthing, root',
      calledBy: 'understudy-files.service; join; `understudy folders`',
      does: 'configures Syncthing as the cluster wants it',
    },
    {
      name: 'files-gate',
      user: 'understudy-syncthing',
      calledBy: 'understudy-syncthing.service, before its start',
      does: 'pauses folders in which something is mounted, or a mounted disk is missing',
    },
    {
      name: 'files-view',
      user: 'root',
      calledBy: '`files-start` in understudy-syncthing.service',
      does: "unmounts everything from Syncthing's mount namespace that its folders do not need, and pauses folders whose directory was replaced",
    },
    {
      name: 'files-start',
      user: 'root',
      calledBy: 'understudy-syncthing.service',
      does: 'becomes Syncthing, as its own user, in a mount namespace of its own',
    },
    {
      name: 'files-changed',
      user: 'consul',
      calledBy: 'the watch on `syncthing/`',
      does: 'starts understudy-files.service',
    },
  ],
  daemons: [filesUnits.syncthing],
  package: {
    depends: [{ package: 'syncthing', minimum: '1.19', program: '/usr/bin/syncthing' }],
    units: [filesUnits.files, filesUnits.syncthing],
    scripts: ['files-changed.sh', 'files-start.sh'],
    tmpfiles: [
      'd /run/understudy/files 0755 understudy-syncthing understudy-syncthing',
      'd /var/lib/understudy/syncthing 0700 understudy-syncthing understudy-syncthing',
    ],
    users: [
      // Who replicates the files, and who may have uploads confirmed.
      'getent passwd understudy-syncthing >/dev/null || adduser --system --quiet --group --no-create-home --home /var/lib/understudy/syncthing understudy-syncthing',
      'addgroup --system --quiet understudy-files',
      'adduser --quiet understudy-syncthing understudy-files',
    ],
    polkit: [
      { user: 'consul', verb: 'start', units: [filesUnits.files] },
      { user: 'consul', verb: 'kill', units: [filesUnits.syncthing] },
    ],
  },
  consul: (settings) => definitionsOf(definitions, settings),
  check: () => import('./check.ts'),
  status: () => import('./status.ts'),
  join: () => import('./join.ts'),
}))
