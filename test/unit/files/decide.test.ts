import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { UNKNOWN } from '../../../lib/core/unknown.ts'
import { type Values, wantedDevice, wantedFolder, wantedOptions } from '../../../lib/files/config.ts'
import {
  type Change,
  type DirectoryFact,
  decideSyncthing,
  type SyncthingConfig,
  type SyncthingFacts,
  type SyncthingPlan,
} from '../../../lib/files/decide.ts'
import { type Folders, isWithin } from '../../../lib/files/decide-folders.ts'
import type { Folder, SyncthingNode } from '../../../lib/files/manifest.ts'
import { addressOf, deviceOf, folderAt } from '../support/documents.ts'
import { type Case, table } from '../support/table.ts'

type Members = Exclude<SyncthingFacts['members'], typeof UNKNOWN>
type Device = SyncthingConfig['devices'][number]
type Shared = SyncthingConfig['folders'][number]

const member = (node: string, device = deviceOf(node), address = addressOf(node)): SyncthingNode => ({
  schema: 1,
  deviceId: device,
  address,
})
const membersOf = (nodes: readonly string[], malformed: readonly string[] = []): Members => ({
  valid: new Map(nodes.map((node) => [node, member(node)])),
  malformed,
})
const foldersOf = (
  folders: Readonly<Record<string, Folder>>,
  malformed: readonly string[] = [],
): Folders => ({
  valid: new Map(Object.entries(folders)),
  malformed,
})

/** A device as n1's Syncthing has it, with more than we look after. */
const deviceAt = (node: string, difference: Values = {}): Device => ({
  ...wantedDevice(deviceOf(node), node, node === 'n1' ? null : addressOf(node)),
  compression: 'metadata',
  deviceID: deviceOf(node),
  name: node,
  ...difference,
})
const devicesOf = (nodes: readonly string[]): { deviceID: string }[] =>
  nodes.map((node) => ({ deviceID: deviceOf(node) }))
const wanted = (label: string, folder: Folder, nodes: readonly string[] = ['n1', 'n2', 'n3']): Values =>
  wantedFolder(
    label,
    folder,
    nodes.map((node) => deviceOf(node)),
  )
/** A folder as Syncthing has it, with more than we look after. */
const sharedAs = (label: string, folder: Folder, nodes?: readonly string[]): Shared => ({
  ...wanted(label, folder, nodes),
  id: folder.id,
  label,
  path: folder.path,
  paused: false,
  devices: devicesOf(nodes ?? ['n3', 'n2', 'n1']),
  order: 'random',
})

const FILES = folderAt('files', '/srv/files')
const MORE = folderAt('more', '/srv/more', { ignore: ['*.log'], owner: 'app', group: 'web' })
const config: SyncthingConfig = {
  deviceId: deviceOf('n1'),
  options: { ...wantedOptions('10.77.0.11'), maxSendKbps: 0 },
  devices: [deviceAt('n1'), deviceAt('n2'), deviceAt('n3')],
  folders: [sharedAs('files', FILES)],
  ignores: { 'files-1': [] },
}
/** n1 shares one folder with n2 and n3. */
const base: SyncthingFacts = {
  node: 'n1',
  address: '10.77.0.11',
  members: membersOf(['n1', 'n2', 'n3']),
  folders: foldersOf({ files: FILES }),
  syncthing: config,
  directories: new Map(),
  mounts: new Map(),
  remembered: [],
  elsewhere: new Set(),
  markers: { now: {}, known: {} },
  mergeFiles: null,
}
/** Another folder is in the document, and this is at its path here. */
const withMore = (at: DirectoryFact | null, folder: Partial<Folder> = {}): Partial<SyncthingFacts> => ({
  folders: foldersOf({ files: FILES, more: { ...MORE, ...folder } }),
  directories: new Map(at === null ? [] : [[MORE.path, at]]),
})

type Expected = Case<SyncthingFacts, SyncthingPlan>[2]
const nothing = (why: string, problems: readonly string[] | null = []): Expected => ({
  do: 'nothing',
  why,
  changes: [],
  problems,
})
const configure = (why: string, changes: readonly Change[], problems: readonly string[] = []): Expected => ({
  do: 'configure',
  why,
  changes,
  problems,
})
const addMore = (folder: Partial<Folder> = {}): Change => ({
  what: 'add-folder',
  values: wanted('more', { ...MORE, ...folder }),
  path: '/srv/more',
  ignore: ['*.log'],
})
const USED = { state: 'used', entries: 2, example: 'report.pdf' } as const
const USED_TEXT =
  '/srv/more holds files of this machine (2 entries, such as report.pdf); move them away, or run understudy join again here with --merge-files'
const notShared = (why: string): string => `the folder more is not shared on n1: ${why}`
const sharedWith = (nodes: readonly string[]): Change => ({
  what: 'change-folder',
  id: 'files-1',
  values: { devices: [...devicesOf(nodes)].sort((one, other) => (one.deviceID < other.deviceID ? -1 : 1)) },
})

const inside = (mounted: readonly string[], missing: readonly string[] = []) => ({
  mounts: new Map([['/srv/files', { mounted, missing }]]),
  remembered: [...mounted, ...missing].sort(),
})
const pauses: Change = { what: 'change-folder', id: 'files-1', values: { paused: true } }
const pausedConfig = { ...config, folders: [{ ...sharedAs('files', FILES), paused: true }] }
const IS_MOUNTED =
  'the folder files is stopped, because /srv/files/disk is mounted inside it and what is mounted is not replicated; unmount it, or mount it elsewhere'
const IS_GONE =
  'the folder files is stopped: the file system at /srv/files/disk inside it is gone and an empty directory is in its place; put its files back there, or remove the directory if they may be deleted on the others'

const mounts: readonly Case<SyncthingFacts, SyncthingPlan>[] = [
  [
    'Something is mounted inside a folder: that is remembered first, and the folder stands still',
    { ...inside(['/srv/files/disk']), remembered: [] },
    configure(
      'remember /srv/files/disk, change paused of files-1',
      [{ what: 'remember-mounts', points: ['/srv/files/disk'] }, pauses],
      [IS_MOUNTED],
    ),
  ],
  [
    'It stands still already',
    { ...inside(['/srv/files/disk']), syncthing: pausedConfig },
    nothing('is mounted', [IS_MOUNTED]),
  ],
  [
    'It is gone, and an empty directory is in its place: the folder does not go on',
    { ...inside([], ['/srv/files/disk']), syncthing: pausedConfig },
    nothing('is gone', [IS_GONE]),
  ],
  [
    'Somebody resumed it by hand',
    inside([], ['/srv/files/disk']),
    configure('change paused of files-1', [pauses], [IS_GONE]),
  ],
  [
    'Its files are back, or the directory was removed: it goes on, and nothing is remembered',
    { ...inside([]), remembered: ['/srv/files/disk'], syncthing: pausedConfig },
    configure('remember no mount points, change paused of files-1', [
      { what: 'remember-mounts', points: [] },
      { ...pauses, values: { paused: false } },
    ]),
  ],
  [
    'Consul does not answer: the folder stands still all the same',
    { ...inside(['/srv/files/disk']), members: UNKNOWN },
    { ...configure('Consul does not answer', [pauses]), problems: null },
  ],
  [
    'The list of folders is lost: the same',
    { ...inside(['/srv/files/disk']), folders: null },
    configure(
      'change paused',
      [pauses],
      [
        "Consul's key syncthing/folders is missing or malformed; nothing is changed until it is restored",
        IS_MOUNTED,
      ],
    ),
  ],
  [
    'What else differs of the folder is set while it stands still',
    {
      ...inside(['/srv/files/disk']),
      syncthing: { ...pausedConfig, folders: [{ ...sharedAs('files', FILES, ['n1', 'n2']), paused: true }] },
    },
    configure('change devices of files-1', [sharedWith(['n1', 'n2', 'n3'])], [IS_MOUNTED]),
  ],
]

const RESTART: Change = { what: 'restart' }
const FILES_ELSEWHERE = { elsewhere: new Set(['/srv/files']) }

const elsewhere: readonly Case<SyncthingFacts, SyncthingPlan>[] = [
  [
    'A disk was mounted or unmounted at or above a folder: Syncthing looks again',
    FILES_ELSEWHERE,
    configure('start Syncthing again', [RESTART]),
  ],
  [
    'Consul does not answer: the same',
    { ...FILES_ELSEWHERE, members: UNKNOWN },
    { ...configure('Consul does not answer', [RESTART]), problems: null },
  ],
  [
    'Whatever else differs is changed before',
    { ...FILES_ELSEWHERE, syncthing: { ...config, folders: [sharedAs('files', FILES, ['n1', 'n2'])] } },
    configure('start Syncthing again', [sharedWith(['n1', 'n2', 'n3']), RESTART]),
  ],
  [
    'A folder that stands still does not go on before Syncthing has looked',
    { ...FILES_ELSEWHERE, syncthing: pausedConfig },
    configure('start Syncthing again', [RESTART]),
  ],
  [
    'A new folder on a disk that Syncthing does not have: it makes no marker before it has looked',
    { ...withMore({ state: 'empty' }), elsewhere: new Set(['/srv/more']) },
    configure('share /srv/more, start Syncthing again', [
      { ...addMore(), values: { ...wanted('more', MORE), paused: true } } as Change,
      RESTART,
    ]),
  ],
  [
    'A folder that cannot be shared here: it is not looked at',
    { ...withMore(USED), elsewhere: new Set(['/srv/more']) },
    nothing('/srv/more', [notShared(USED_TEXT)]),
  ],
]

const strange = { now: { 'files-1': '2' }, known: { 'files-1': '1' } }
const readAnew: Change = {
  what: 'read-anew',
  id: 'files-1',
  path: '/srv/files',
  markers: { 'files-1': '2' },
}

const strangers: readonly Case<SyncthingFacts, SyncthingPlan>[] = [
  [
    'The marker of a folder is seen for the first time, and one of a folder that is gone is forgotten',
    { markers: { now: { 'files-1': '1' }, known: { 'gone-1': '7' } } },
    configure('remember the markers of files-1', [{ what: 'remember-markers', markers: { 'files-1': '1' } }]),
  ],
  [
    'It is missing: what is known of it is kept',
    { markers: { now: {}, known: { 'files-1': '1' } } },
    nothing('nothing differs'),
  ],
  [
    'Another directory is in the place of a folder, which stands still: it is read anew',
    { markers: strange, syncthing: pausedConfig },
    configure('read /srv/files again from scratch', [readAnew]),
  ],
  [
    'The folder does not stand still: Syncthing forgets only one that does',
    { markers: strange },
    configure('change paused of files-1, read /srv/files again from scratch', [pauses, readAnew]),
  ],
  [
    'It was read anew: it goes on',
    { markers: { now: { 'files-1': '2' }, known: { 'files-1': '2' } }, syncthing: pausedConfig },
    configure('change paused of files-1', [{ ...pauses, values: { paused: false } }]),
  ],
]

const general: readonly Case<SyncthingFacts, SyncthingPlan>[] = [
  ['All is as it should be', {}, nothing('nothing differs')],
  ['Consul does not tell the members', { members: UNKNOWN }, nothing('Consul does not answer', null)],
  ['Consul does not tell the folders', { folders: UNKNOWN }, nothing('Consul does not answer', null)],
  [
    'Syncthing does not answer',
    { syncthing: UNKNOWN },
    nothing('Syncthing does not answer', ['Syncthing on n1 does not answer']),
  ],
  [
    'Neither answers: what Consul says comes first, as without it nobody knows what should be',
    { members: UNKNOWN, syncthing: UNKNOWN },
    nothing('Consul does not answer', null),
  ],
  [
    'This machine is not among the members',
    { members: membersOf(['n2', 'n3']) },
    nothing("Consul's key syncthing/nodes/n1 is missing", [
      "Consul's key syncthing/nodes/n1 is missing; run understudy join again",
    ]),
  ],
  [
    'No machine is: the keys are lost',
    { members: membersOf([]) },
    nothing('is missing', ["Consul's key syncthing/nodes/n1 is missing; run understudy join again"]),
  ],
  [
    'What this machine has published is malformed',
    { members: membersOf(['n2', 'n3'], ['n1']) },
    nothing('is missing', ["Consul's key syncthing/nodes/n1 is missing; run understudy join again"]),
  ],
  [
    'Syncthing has made itself another key',
    { syncthing: { ...config, deviceId: deviceOf('n9') } },
    nothing('does not name', [
      "Consul's key syncthing/nodes/n1 does not name this machine's Syncthing; run understudy join again",
    ]),
  ],
  [
    'Somebody has changed options: those that are ours are put back',
    { syncthing: { ...config, options: { ...config.options, relaysEnabled: true, maxSendKbps: 5 } } },
    configure('set relaysEnabled', [{ what: 'options', values: { relaysEnabled: false } }]),
  ],
  [
    'This machine has another address',
    { address: '10.77.0.99' },
    configure('set listenAddresses', [
      { what: 'options', values: { listenAddresses: ['tcp://10.77.0.99:22000'] } },
    ]),
  ],
]
describe('syncthing: altogether', () => table(decideSyncthing, base, general))

const devices: readonly Case<SyncthingFacts, SyncthingPlan>[] = [
  [
    'A machine has joined: it is a device first, then the folder is shared with it',
    { members: membersOf(['n1', 'n2', 'n3', 'n4']) },
    configure('add the device of n4, change devices of files-1', [
      { what: 'add-device', id: deviceOf('n4'), values: wantedDevice(deviceOf('n4'), 'n4', '10.77.0.14') },
      sharedWith(['n1', 'n2', 'n3', 'n4']),
    ]),
  ],
  [
    'A machine was removed: the folder is shared with it no longer, then the device is forgotten',
    { members: membersOf(['n1', 'n2']) },
    configure('change devices of files-1, remove the device', [
      sharedWith(['n1', 'n2']),
      { what: 'remove-device', id: deviceOf('n3') },
    ]),
  ],
  [
    'A machine was installed anew: its new device takes the place of the old one',
    {
      members: {
        valid: new Map([...membersOf(['n1', 'n2']).valid, ['n3', member('n3', deviceOf('n8'))]]),
        malformed: [],
      },
    },
    configure('add the device of n3', [
      { what: 'add-device', id: deviceOf('n8'), values: wantedDevice(deviceOf('n8'), 'n3', '10.77.0.13') },
      sharedWith(['n1', 'n2', 'n8']),
      { what: 'remove-device', id: deviceOf('n3') },
    ]),
  ],
  [
    'A machine has another address',
    {
      members: {
        valid: new Map([
          ...membersOf(['n1', 'n2']).valid,
          ['n3', member('n3', deviceOf('n3'), '10.77.0.99')],
        ]),
        malformed: [],
      },
    },
    configure('change the device DDDDDDD', [
      { what: 'change-device', id: deviceOf('n3'), values: { addresses: ['tcp://10.77.0.99:22000'] } },
    ]),
  ],
  [
    'A person has paused a device, and lets it bring in others',
    {
      syncthing: {
        ...config,
        devices: [deviceAt('n1'), deviceAt('n2', { paused: true, introducer: true }), deviceAt('n3')],
      },
    },
    configure('change the device', [
      { what: 'change-device', id: deviceOf('n2'), values: { introducer: false, paused: false } },
    ]),
  ],
  [
    'Of its own device only the name is looked after',
    {
      syncthing: {
        ...config,
        devices: [deviceAt('n1', { name: 'debian', addresses: ['dynamic'] }), deviceAt('n2'), deviceAt('n3')],
      },
    },
    configure('change the device', [{ what: 'change-device', id: deviceOf('n1'), values: { name: 'n1' } }]),
  ],
  [
    'A device that no member has was added by hand: it is forgotten',
    { syncthing: { ...config, devices: [...config.devices, deviceAt('n9', { name: 'laptop' })] } },
    configure('remove the device', [{ what: 'remove-device', id: deviceOf('n9') }]),
  ],
  [
    'What a machine has published is malformed: its device stays, and the folder stays shared with it',
    { members: membersOf(['n1', 'n2'], ['n3']) },
    nothing('syncthing/nodes/n3 is malformed', ["Consul's key syncthing/nodes/n3 is malformed"]),
  ],
  [
    'What a machine has published is malformed, and another one joins: the others go on',
    { members: membersOf(['n1', 'n2', 'n4'], ['n3']) },
    configure(
      'add the device of n4',
      [
        { what: 'add-device', id: deviceOf('n4'), values: wantedDevice(deviceOf('n4'), 'n4', '10.77.0.14') },
        sharedWith(['n1', 'n2', 'n3', 'n4']),
      ],
      ["Consul's key syncthing/nodes/n3 is malformed"],
    ),
  ],
  [
    'What a machine has published is malformed, and its device is not here: there is nothing to keep',
    {
      members: membersOf(['n1', 'n2'], ['n3']),
      syncthing: {
        ...config,
        devices: [deviceAt('n1'), deviceAt('n2')],
        folders: [sharedAs('files', FILES, ['n1', 'n2'])],
      },
    },
    nothing('n3', ["Consul's key syncthing/nodes/n3 is malformed"]),
  ],
  [
    'A machine that joins claims the device of another: that one stays as it is, a third joins',
    {
      members: {
        valid: new Map([...membersOf(['n1', 'n2', 'n3', 'n5']).valid, ['n4', member('n4', deviceOf('n3'))]]),
        malformed: [],
      },
    },
    configure(
      'add the device of n5',
      [
        { what: 'add-device', id: deviceOf('n5'), values: wantedDevice(deviceOf('n5'), 'n5', '10.77.0.15') },
        sharedWith(['n1', 'n2', 'n3', 'n5']),
      ],
      [`n3 and n4 have published the same Syncthing device (${deviceOf('n3').slice(0, 7)})`],
    ),
  ],
  [
    'A member claims the device of another: what it had stays as well',
    {
      members: {
        valid: new Map([...membersOf(['n1', 'n3']).valid, ['n2', member('n2', deviceOf('n3'))]]),
        malformed: [],
      },
    },
    nothing('n2 and n3 have', [
      `n2 and n3 have published the same Syncthing device (${deviceOf('n3').slice(0, 7)})`,
    ]),
  ],
  [
    'Two new machines claim the same device: neither is taken in',
    {
      members: {
        valid: new Map([...membersOf(['n1', 'n2', 'n3', 'n4']).valid, ['n5', member('n5', deviceOf('n4'))]]),
        malformed: [],
      },
    },
    nothing('n4 and n5 have', [
      `n4 and n5 have published the same Syncthing device (${deviceOf('n4').slice(0, 7)})`,
    ]),
  ],
  [
    'A device that two claim is not changed, either',
    {
      members: {
        valid: new Map([
          ...membersOf(['n1', 'n2']).valid,
          ['n3', member('n3', deviceOf('n3'), '10.77.0.99')],
          ['n4', member('n4', deviceOf('n3'))],
        ]),
        malformed: [],
      },
    },
    nothing('n3 and n4 have', [
      `n3 and n4 have published the same Syncthing device (${deviceOf('n3').slice(0, 7)})`,
    ]),
  ],
  [
    'A machine claims our own device: we are who we are',
    {
      members: {
        valid: new Map([['n0', member('n0', deviceOf('n1'))], ...membersOf(['n1', 'n2', 'n3']).valid]),
        malformed: [],
      },
    },
    nothing('n0 and n1 have', [
      `n0 and n1 have published the same Syncthing device (${deviceOf('n1').slice(0, 7)})`,
    ]),
  ],
]
describe('syncthing: devices', () => table(decideSyncthing, base, devices))

const folders: readonly Case<SyncthingFacts, SyncthingPlan>[] = [
  [
    'A folder was added, and its directory is empty here',
    withMore({ state: 'empty' }),
    configure('share /srv/more', [addMore()]),
  ],
  [
    'There is no such directory here: it is made before the folder is shared',
    withMore({ state: 'missing', ownerExists: true }),
    configure('create /srv/more, share /srv/more', [{ what: 'make-directory', folder: MORE }, addMore()]),
  ],
  [
    'There is no such directory, and nobody it could belong to',
    withMore({ state: 'missing', ownerExists: false }),
    nothing('the user app or the group web does not exist', [
      notShared('the user app or the group web does not exist here'),
    ]),
  ],
  [
    'The directory holds files of this machine',
    withMore(USED),
    nothing('holds files of this machine', [notShared(USED_TEXT)]),
  ],
  [
    'The directory holds one file',
    withMore({ ...USED, entries: 1 }),
    nothing('(1 entry, such as report.pdf)', [
      notShared(
        '/srv/more holds files of this machine (1 entry, such as report.pdf); move them away, or run understudy join again here with --merge-files',
      ),
    ]),
  ],
  [
    'The directory holds files, which may be merged on every machine',
    withMore(USED, { mergeFiles: true }),
    configure('share /srv/more', [addMore({ mergeFiles: true })]),
  ],
  [
    'The directory holds files, which may be merged on this machine',
    { ...withMore(USED), mergeFiles: '/srv/more' },
    configure('share /srv/more', [addMore()]),
  ],
  [
    'All files of this machine may be merged',
    { ...withMore(USED), mergeFiles: '/' },
    configure('share /srv/more', [addMore()]),
  ],
  [
    'What lies above may be merged',
    { ...withMore(USED), mergeFiles: '/srv' },
    configure('share /srv/more', [addMore()]),
  ],
  [
    'A part of it may be merged, which is not enough',
    { ...withMore(USED), mergeFiles: '/srv/more/reports' },
    nothing('holds files of this machine', [notShared(USED_TEXT)]),
  ],
  [
    'Files of a directory with a similar name may be merged',
    { ...withMore(USED), mergeFiles: '/srv/mor' },
    nothing('holds files of this machine', [notShared(USED_TEXT)]),
  ],
  [
    'The path cannot be one, also where files may be merged',
    { ...withMore({ state: 'unusable', why: '/srv/more is a link to /etc' }), mergeFiles: '/' },
    nothing('/srv/more is a link to /etc', [notShared('/srv/more is a link to /etc')]),
  ],
  [
    'Nobody has looked at the path',
    withMore(null),
    nothing('was not inspected', [notShared('/srv/more was not inspected')]),
  ],
  [
    'The path belongs to the system, whatever is there',
    {
      folders: foldersOf({ files: FILES, more: { ...MORE, path: '/etc/app', mergeFiles: true } }),
      directories: new Map([['/etc/app', { state: 'empty' }]]),
    },
    nothing('path of the system', [notShared('/etc/app is or contains a path of the system')]),
  ],
  [
    'A folder inside one that is shared stays out, and the outer one goes on',
    {
      folders: foldersOf({ files: FILES, more: { ...MORE, path: '/srv/files/more' } }),
      directories: new Map([['/srv/files/more', { state: 'empty' }]]),
    },
    nothing('is inside', [notShared('/srv/files/more is inside /srv/files, which is the folder files')]),
  ],
  [
    'A folder around one that is shared stays out, and the inner one goes on',
    {
      folders: foldersOf({
        files: { ...FILES, path: '/srv/more/files' },
        more: { ...MORE, mergeFiles: true },
      }),
      directories: new Map([['/srv/more', USED]]),
      syncthing: { ...config, folders: [sharedAs('files', { ...FILES, path: '/srv/more/files' })] },
    },
    nothing('contains', [notShared('/srv/more contains /srv/more/files, which is the folder files')]),
  ],
  [
    'Two new ones, one inside the other: neither is shared',
    {
      folders: foldersOf({ files: { ...FILES, path: '/srv/more/files' }, more: MORE }),
      directories: new Map([
        ['/srv/more', { state: 'empty' }],
        ['/srv/more/files', { state: 'missing', ownerExists: true }],
      ]),
      syncthing: { ...config, folders: [] },
    },
    nothing('is inside', [
      'the folder files is not shared on n1: /srv/more/files is inside /srv/more, which is the folder more',
      notShared('/srv/more contains /srv/more/files, which is the folder files'),
    ]),
  ],
  [
    'Two new ones at the same path: neither is shared',
    {
      folders: foldersOf({ files: { ...FILES, path: '/srv/more' }, more: MORE }),
      directories: new Map([['/srv/more', { state: 'empty' }]]),
      syncthing: { ...config, folders: [] },
    },
    nothing('already', [
      'the folder files is not shared on n1: /srv/more is already the folder more',
      notShared('/srv/more is already the folder files'),
    ]),
  ],
  [
    'A folder was removed',
    { folders: foldersOf({}) },
    configure('stop sharing files-1', [{ what: 'remove-folder', id: 'files-1' }]),
  ],
  [
    'A folder was removed and added again at another path: the new one is another one',
    {
      folders: foldersOf({ files: { ...FILES, id: 'files-2', path: '/srv/new' } }),
      directories: new Map([['/srv/new', { state: 'empty' }]]),
    },
    configure('stop sharing files-1, share /srv/new', [
      { what: 'remove-folder', id: 'files-1' },
      {
        what: 'add-folder',
        values: wanted('files', { ...FILES, id: 'files-2', path: '/srv/new' }),
        path: '/srv/new',
        ignore: [],
      },
    ]),
  ],
  [
    'A folder is malformed but shared here: no other one is shared at its path, or in it',
    {
      folders: foldersOf({ more: { ...MORE, path: '/srv/files/more', mergeFiles: true } }, ['files']),
      directories: new Map([['/srv/files/more', { state: 'missing', ownerExists: true }]]),
    },
    nothing('files', [
      'the folder files in syncthing/folders is malformed',
      notShared('/srv/files/more is inside /srv/files, which is the folder files'),
    ]),
  ],
  [
    'The document has another path for a folder: nothing of it is changed, not even what ignores and versions are',
    {
      folders: foldersOf({ files: { ...FILES, path: '/srv/new', ignore: ['*.log'], versioning: true } }),
      directories: new Map([['/srv/new', { state: 'empty' }]]),
    },
    nothing('is at /srv/files on this machine', [
      'the folder files is at /srv/files on this machine, but at /srv/new in syncthing/folders; correct that key',
    ]),
  ],
  [
    'What the document says of a folder is malformed: it stays shared',
    { folders: foldersOf({}, ['files']) },
    nothing('is malformed', ['the folder files in syncthing/folders is malformed']),
  ],
  [
    'One is malformed: another one is added all the same',
    { ...withMore({ state: 'empty' }), folders: foldersOf({ more: MORE }, ['files']) },
    configure('share /srv/more', [addMore()], ['the folder files in syncthing/folders is malformed']),
  ],
  [
    'The document is gone: nothing is given up',
    { folders: null },
    nothing('is missing', [
      "Consul's key syncthing/folders is missing or malformed; nothing is changed until it is restored",
    ]),
  ],
  [
    'The document is gone, and a machine has joined: it becomes a device, and no folder is touched',
    { folders: null, members: membersOf(['n1', 'n2', 'n3', 'n4']) },
    configure(
      'add the device of n4',
      [{ what: 'add-device', id: deviceOf('n4'), values: wantedDevice(deviceOf('n4'), 'n4', '10.77.0.14') }],
      ["Consul's key syncthing/folders is missing or malformed; nothing is changed until it is restored"],
    ),
  ],
  [
    'A folder was paused and made one-way by hand',
    {
      syncthing: {
        ...config,
        folders: [{ ...sharedAs('files', FILES), paused: true, type: 'receiveonly', order: 'alphabetic' }],
      },
    },
    configure('change type and paused of files-1', [
      { what: 'change-folder', id: 'files-1', values: { type: 'sendreceive', paused: false } },
    ]),
  ],
  [
    'A folder keeps versions from now on',
    { folders: foldersOf({ files: { ...FILES, versioning: true } }) },
    configure('change versioning of files-1', [
      {
        what: 'change-folder',
        id: 'files-1',
        values: { versioning: wanted('files', { ...FILES, versioning: true })['versioning'] },
      },
    ]),
  ],
  [
    'A folder has another label',
    { folders: foldersOf({ docs: FILES }) },
    configure('change label of files-1', [
      { what: 'change-folder', id: 'files-1', values: { label: 'docs' } },
    ]),
  ],
  [
    'The directory of a folder that is shared may hold what it likes',
    { directories: new Map([['/srv/files', USED]]) },
    nothing('nothing differs'),
  ],
  [
    'Patterns were added',
    { folders: foldersOf({ files: { ...FILES, ignore: ['*.log', '/cache'] } }) },
    configure('set the ignore patterns of files-1', [
      { what: 'ignores', id: 'files-1', ignore: ['*.log', '/cache'] },
    ]),
  ],
  [
    'Patterns were added, and the folder is stopped: nothing is written to where it should be',
    {
      folders: foldersOf({ files: { ...FILES, ignore: ['*.log'] } }),
      syncthing: { ...config, ignores: {} },
    },
    nothing('nothing differs'),
  ],
  [
    'Patterns were removed',
    { syncthing: { ...config, ignores: { 'files-1': ['*.log'] } } },
    configure('set the ignore patterns of files-1', [{ what: 'ignores', id: 'files-1', ignore: [] }]),
  ],
  [
    'Patterns are in another order, which decides which one counts',
    {
      folders: foldersOf({ files: { ...FILES, ignore: ['!a.log', '*.log'] } }),
      syncthing: { ...config, ignores: { 'files-1': ['*.log', '!a.log'] } },
    },
    configure('set the ignore patterns of files-1', [
      { what: 'ignores', id: 'files-1', ignore: ['!a.log', '*.log'] },
    ]),
  ],
  [
    'Patterns are as they should be',
    {
      folders: foldersOf({ files: { ...FILES, ignore: ['*.log', '/cache'] } }),
      syncthing: { ...config, ignores: { 'files-1': ['*.log', '/cache'], 'other-1': ['x'] } },
    },
    nothing('nothing differs'),
  ],
  [
    'Right after the first start there is nothing: the first machine shares what it has',
    {
      members: membersOf(['n1']),
      mergeFiles: '/',
      directories: new Map([['/srv/files', USED]]),
      syncthing: { ...config, devices: [deviceAt('n1')], folders: [] },
    },
    configure('share /srv/files', [
      { what: 'add-folder', values: wanted('files', FILES, ['n1']), path: '/srv/files', ignore: [] },
    ]),
  ],
]
describe('syncthing: folders', () => table(decideSyncthing, base, folders))
describe('syncthing: what is mounted inside folders', () => table(decideSyncthing, base, mounts))
describe('syncthing: what is mounted at or above folders', () => table(decideSyncthing, base, elsewhere))
describe('syncthing: other directories than before', () => table(decideSyncthing, base, strangers))

/** What Syncthing and the disk are like after these changes. It refuses what Syncthing would refuse. */
function applied(facts: SyncthingFacts, changes: readonly Change[]): SyncthingFacts {
  assert.ok(facts.syncthing !== UNKNOWN, 'Syncthing does not answer')
  const { deviceId } = facts.syncthing
  let { options } = facts.syncthing
  const byDevice = new Map(facts.syncthing.devices.map((device) => [device.deviceID, device]))
  const byFolder = new Map(facts.syncthing.folders.map((folder) => [folder.id, folder]))
  const ignores = { ...facts.syncthing.ignores }
  const directories = new Map(facts.directories)
  const setFolder = (id: string, folder: Shared): void => {
    for (const { deviceID } of folder.devices)
      assert.ok(byDevice.has(deviceID), `${id} is shared with a device that Syncthing does not know`)
    byFolder.set(id, folder)
  }
  const has = <T>(map: ReadonlyMap<string, T>, id: string): T => {
    const found = map.get(id)
    assert.ok(found !== undefined, `there is no ${id}`)
    return found
  }
  for (const change of changes) {
    switch (change.what) {
      case 'options':
        options = { ...options, ...change.values }
        break
      case 'add-device':
        assert.ok(!byDevice.has(change.id), `there is a device ${change.id} already`)
        byDevice.set(change.id, { compression: 'metadata', ...change.values } as unknown as Device)
        break
      case 'change-device':
        byDevice.set(change.id, { ...has(byDevice, change.id), ...change.values })
        break
      case 'remove-device':
        assert.notEqual(change.id, deviceId)
        has(byDevice, change.id)
        byDevice.delete(change.id)
        // As Syncthing does.
        for (const [id, folder] of byFolder) {
          const rest = folder.devices.filter(({ deviceID }) => deviceID !== change.id)
          byFolder.set(id, { ...folder, devices: rest })
        }
        break
      case 'make-directory':
        assert.deepEqual(directories.get(change.folder.path), { state: 'missing', ownerExists: true })
        directories.set(change.folder.path, { state: 'empty' })
        break
      case 'add-folder': {
        const values = change.values as unknown as Shared
        assert.ok(!byFolder.has(values.id), `there is a folder ${values.id} already`)
        assert.equal(values.path, change.path)
        assert.ok(['empty', 'used'].includes(directories.get(change.path)?.state ?? ''), 'no directory')
        setFolder(values.id, { order: 'random', ...values })
        ignores[values.id] = change.ignore
        break
      }
      case 'change-folder':
        setFolder(change.id, { ...has(byFolder, change.id), ...change.values })
        break
      case 'remove-folder':
        has(byFolder, change.id)
        byFolder.delete(change.id)
        delete ignores[change.id]
        break
      case 'ignores':
        has(byFolder, change.id)
        ignores[change.id] = change.ignore
    }
  }
  const syncthing = {
    deviceId,
    options,
    devices: [...byDevice.values()],
    folders: [...byFolder.values()],
    ignores,
  }
  return { ...facts, syncthing, directories }
}

const NODES = ['n1', 'n2', 'n3', 'n4', 'n5']
const LABELS = ['a', 'b', 'c', 'd']
const PATHS = ['/srv/a', '/srv/a/b', '/srv/c', '/srv/cc', '/etc/d']
const anyIgnore = fc.constantFrom<string[]>([], ['*.log'], ['*.log', '/cache'])

/** What a machine has published: mostly its own device, maybe that of another, or nonsense, or nothing. */
const anyEntry = (node: string): fc.Arbitrary<SyncthingNode | 'malformed' | null> =>
  fc.oneof(
    { weight: 5, arbitrary: fc.constant(member(node)) },
    { weight: 1, arbitrary: fc.constantFrom(...NODES).map((other) => member(node, deviceOf(other))) },
    { weight: 1, arbitrary: fc.constant(member(node, deviceOf(node), '10.77.0.99')) },
    { weight: 1, arbitrary: fc.constant('malformed' as const) },
    { weight: 1, arbitrary: fc.constant(null) },
  )
const entriesOf = (entries: readonly (SyncthingNode | 'malformed' | null)[]): Members => ({
  valid: new Map(
    NODES.flatMap((node, index) => {
      const entry = entries[index]
      return entry && entry !== 'malformed' ? [[node, entry] as const] : []
    }),
  ),
  malformed: NODES.filter((_node, index) => entries[index] === 'malformed'),
})
const anyMembers = fc.tuple(...NODES.map(anyEntry)).map(entriesOf)
/** This machine's own entry is well, as it mostly is. */
const membersWithUs = fc.tuple(fc.constant(member('n1')), ...NODES.slice(1).map(anyEntry)).map(entriesOf)

const anyFolder = (label: string): fc.Arbitrary<Folder> =>
  fc
    .record({
      // An id is never used again: of two folders one after the other with the same label it is another.
      id: fc.constantFrom(`${label}-1`, `${label}-2`),
      path: fc.constantFrom(...PATHS),
      ignore: anyIgnore,
      versioning: fc.boolean(),
      mergeFiles: fc.boolean(),
    })
    .map(({ path, ...rest }) => folderAt(label, path, rest))
const anyFolders = fc
  .tuple(
    ...LABELS.map((label) =>
      fc.oneof(
        { weight: 3, arbitrary: anyFolder(label) },
        { weight: 1, arbitrary: fc.constantFrom('malformed' as const, null) },
      ),
    ),
  )
  .map((all): Folders => {
    const byLabel = LABELS.map((label, index) => [label, all[index] ?? null] as const)
    return {
      valid: new Map(
        byLabel.flatMap(([label, one]) => (one && one !== 'malformed' ? [[label, one] as const] : [])),
      ),
      malformed: byLabel.flatMap(([label, one]) => (one === 'malformed' ? [label] : [])),
    }
  })

const anyDevice = (node: string): fc.Arbitrary<Device | null> => {
  const others = [
    deviceAt(node, { paused: true }),
    deviceAt(node, { addresses: [] }),
    deviceAt(node, { name: 'old' }),
  ]
  return fc.constantFrom(deviceAt(node), ...others, ...(node === 'n1' ? [] : [null]))
}
const anyShared = (label: string): fc.Arbitrary<Shared | null> =>
  fc.option(
    fc
      .tuple(anyFolder(label), fc.subarray([...NODES, 'n6']), fc.boolean())
      .map(([folder, nodes, paused]) => ({ ...sharedAs(label, folder, nodes), paused })),
  )
const anyConfig: fc.Arbitrary<SyncthingConfig> = fc
  .record({
    options: fc.constantFrom<Values>(
      wantedOptions('10.77.0.11'),
      wantedOptions('10.77.0.12'),
      { ...wantedOptions('10.77.0.11'), natEnabled: true, maxSendKbps: 5 },
      {},
    ),
    devices: fc.tuple(...[...NODES, 'n6'].map(anyDevice)),
    folders: fc.tuple(...LABELS.map(anyShared)),
    ignores: fc.dictionary(fc.constantFrom('a-1', 'a-2', 'b-1', 'b-2', 'c-1', 'd-1'), anyIgnore),
  })
  .map(({ options, ignores, ...all }) => {
    const devices = all.devices.filter((device) => device !== null)
    const ids = devices.map(({ deviceID }) => deviceID)
    // Syncthing shares nothing with a device that it does not know.
    const folders = all.folders
      .filter((folder) => folder !== null)
      .map(
        (folder): Shared => ({
          ...folder,
          devices: folder.devices.filter(({ deviceID }) => ids.includes(deviceID)),
        }),
      )
    return { deviceId: deviceOf('n1'), options, devices, folders, ignores }
  })

const anyDirectory: fc.Arbitrary<DirectoryFact> = fc.constantFrom<DirectoryFact>(
  { state: 'missing', ownerExists: true },
  { state: 'missing', ownerExists: false },
  { state: 'empty' },
  USED,
  { state: 'unusable', why: 'it is a link' },
)
const anyDirectories = fc.tuple(...PATHS.map(() => fc.option(anyDirectory, { freq: 9 }))).map(
  (all) =>
    new Map(
      PATHS.flatMap((path, index) => {
        const fact = all[index]
        return fact ? [[path, fact] as const] : []
      }),
    ),
)

const factsWith = <M extends SyncthingFacts['members'], F extends SyncthingFacts['folders']>(
  members: fc.Arbitrary<M>,
  folders: fc.Arbitrary<F>,
) =>
  fc.record({
    node: fc.constant('n1'),
    address: fc.constant('10.77.0.11'),
    members,
    folders,
    syncthing: anyConfig,
    directories: anyDirectories,
    mounts: fc.constant(new Map()),
    remembered: fc.constant([]),
    elsewhere: fc.constant(new Set<string>()),
    markers: fc.constant({ now: {}, known: {} }),
    mergeFiles: fc.constantFrom(null, '/', '/srv/a', '/srv/c'),
  })
/** Everybody answers, and this machine is a member. */
const answered = factsWith(membersWithUs, anyFolders)
const changesOf = <W extends Change['what']>(plan: SyncthingPlan, what: W): Extract<Change, { what: W }>[] =>
  plan.changes.filter((change): change is Extract<Change, { what: W }> => change.what === what)
const idsOf = (plan: SyncthingPlan, ...kinds: Change['what'][]): string[] =>
  plan.changes.flatMap((change) =>
    kinds.includes(change.what)
      ? [change.what === 'add-folder' ? String(change.values['id']) : 'id' in change ? change.id : '']
      : [],
  )
/** A configuration, whatever the order of what is in it. */
const inOrder = ({ syncthing }: SyncthingFacts): unknown => {
  assert.ok(syncthing !== UNKNOWN, 'Syncthing does not answer')
  const shared = ({ devices, ...folder }: Shared): Values => ({
    ...folder,
    devices: devices.map(({ deviceID }) => deviceID).sort(),
  })
  return {
    ...syncthing,
    devices: Object.fromEntries(syncthing.devices.map((device) => [device.deviceID, device])),
    folders: Object.fromEntries(syncthing.folders.map((folder) => [folder.id, shared(folder)])),
  }
}

test('syncthing: what was carried out is not carried out again, and the same problems are left', () => {
  fc.assert(
    fc.property(answered, (before) => {
      const plan = decideSyncthing(before)
      const again = decideSyncthing(applied(before, plan.changes))
      assert.deepEqual(again.changes, [])
      assert.equal(again.do, 'nothing')
      assert.deepEqual(again.problems, plan.problems)
    }),
    { numRuns: 500 },
  )
})

test('syncthing: what was carried out in part is completed the next time', () => {
  fc.assert(
    fc.property(answered, fc.nat(20), (before, done) => {
      const { changes } = decideSyncthing(before)
      const half = applied(before, changes.slice(0, done))
      const whole = applied(half, decideSyncthing(half).changes)
      assert.deepEqual(inOrder(whole), inOrder(applied(before, changes)))
    }),
    { numRuns: 500 },
  )
})

test('syncthing: it says what it does, and "nothing" is nothing', () => {
  fc.assert(
    fc.property(answered, (before) => {
      const plan = decideSyncthing(before)
      assert.equal(plan.do === 'nothing', plan.changes.length === 0)
      assert.notEqual(plan.why, '')
      if (plan.do === 'nothing')
        for (const problem of plan.problems ?? []) assert.ok(plan.why.includes(problem), problem)
      for (const text of [plan.why, ...(plan.problems ?? [])]) assert.doesNotMatch(text, /undefined|null|\n/)
    }),
  )
})

test('syncthing: where Consul does not answer, or this machine is not who it says it is, nothing at all is changed', () => {
  const otherDevice = fc.tuple(answered, fc.constantFrom('n2', 'n9')).map(([facts, other]) => ({
    ...facts,
    members: {
      ...facts.members,
      valid: new Map([...facts.members.valid, ['n1', member('n1', deviceOf(other))]]),
    },
  }))
  const absent = fc.tuple(answered, fc.boolean()).map(([facts, malformed]) => ({
    ...facts,
    members: {
      valid: new Map([...facts.members.valid].filter(([node]) => node !== 'n1')),
      malformed: malformed ? ['n1', ...facts.members.malformed] : facts.members.malformed,
    },
  }))
  const unknown = fc.constant(UNKNOWN)
  const anyone: fc.Arbitrary<SyncthingFacts> = fc.oneof(
    factsWith(unknown, anyFolders),
    factsWith(anyMembers, unknown),
    otherDevice,
    absent,
  )
  fc.assert(
    fc.property(anyone, (facts) => {
      const plan = decideSyncthing(facts)
      assert.equal(plan.do, 'nothing')
      assert.deepEqual(plan.changes, [])
    }),
  )
})

test('syncthing: a folder that is shared is given up only where the document, well-formed, has it no longer', () => {
  fc.assert(
    fc.property(factsWith(membersWithUs, fc.option(anyFolders)), ({ folders, ...facts }) => {
      const removed = idsOf(decideSyncthing({ ...facts, folders }), 'remove-folder')
      const gone = facts.syncthing.folders.filter(
        ({ id, label }) =>
          folders !== null &&
          ![...folders.valid.values()].some((folder) => folder.id === id) &&
          !folders.malformed.includes(label),
      )
      assert.deepEqual(
        removed,
        gone.map(({ id }) => id),
      )
    }),
  )
})

test('syncthing: without the document no folder is touched', () => {
  fc.assert(
    fc.property(factsWith(membersWithUs, fc.constant(null)), (facts) => {
      const touched = idsOf(decideSyncthing(facts), 'add-folder', 'change-folder', 'remove-folder', 'ignores')
      assert.deepEqual(touched, [])
    }),
  )
})

test('syncthing: a folder at another path than in the document is not changed', () => {
  fc.assert(
    fc.property(answered, (facts) => {
      const plan = decideSyncthing(facts)
      const touched = idsOf(plan, 'add-folder', 'change-folder', 'remove-folder', 'ignores')
      for (const [label, { id, path }] of facts.folders.valid) {
        const has = facts.syncthing.folders.find((folder) => folder.id === id)
        if (has === undefined || has.path === path) continue
        assert.ok(!touched.includes(id), `${id} is changed`)
        const said = plan.problems?.some((problem) => problem.startsWith(`the folder ${label} is at `))
        assert.ok(said, `nothing is said of ${id}`)
      }
    }),
    { numRuns: 500 },
  )
})

test('syncthing: no folder is moved', () => {
  fc.assert(
    fc.property(answered, (facts) => {
      for (const { values } of changesOf(decideSyncthing(facts), 'change-folder')) {
        assert.equal(values['path'], undefined)
        assert.equal(values['id'], undefined)
      }
    }),
  )
})

test('syncthing: files that a machine has of its own are shared only where a person has said so', () => {
  fc.assert(
    fc.property(answered, (facts) => {
      const plan = decideSyncthing(facts)
      for (const { path, values } of changesOf(plan, 'add-folder')) {
        const folder = [...facts.folders.valid.values()].find(({ id }) => id === values['id'])
        const directory = facts.directories.get(path)
        switch (directory?.state) {
          case 'used':
            assert.ok(
              folder?.mergeFiles || (facts.mergeFiles && isWithin(path, facts.mergeFiles)),
              `nobody has said so of ${path}`,
            )
            break
          case 'missing': {
            const made = plan.changes.findIndex(
              (change) => change.what === 'make-directory' && change.folder.path === path,
            )
            const added = plan.changes.findIndex(
              (change) => change.what === 'add-folder' && change.path === path,
            )
            assert.ok(directory.ownerExists && made !== -1 && made < added, `${path} is not made before`)
            break
          }
          default:
            assert.equal(directory?.state, 'empty')
        }
      }
      const made = changesOf(plan, 'make-directory').map(({ folder }) => folder.path)
      const added = changesOf(plan, 'add-folder').map(({ path }) => path)
      for (const path of made) assert.ok(added.includes(path), 'a directory is made for nothing')
    }),
    { numRuns: 500 },
  )
})

test('syncthing: of two new folders that have a file in common neither is shared', () => {
  fc.assert(
    fc.property(answered, (facts) => {
      const added = changesOf(decideSyncthing(facts), 'add-folder')
      for (const { path, values } of added) {
        for (const other of facts.folders.valid.values()) {
          if (other.id === values['id']) continue
          assert.ok(!isWithin(path, other.path) && !isWithin(other.path, path), `${path}, ${other.path}`)
        }
      }
    }),
    { numRuns: 500 },
  )
})

test('syncthing: of the devices exactly those go that no member claims and no malformed entry may mean', () => {
  fc.assert(
    fc.property(answered, (facts) => {
      const plan = decideSyncthing(facts)
      const claimed = [...facts.members.valid.values()].map(({ deviceId }) => deviceId)
      // Who claims the device of another may still have the one that it had.
      const unclear = [...facts.members.valid]
        .filter(([, { deviceId }]) => claimed.indexOf(deviceId) !== claimed.lastIndexOf(deviceId))
        .map(([name]) => name)
      const gone = facts.syncthing.devices.filter(
        ({ deviceID, name }) =>
          !claimed.includes(deviceID) && ![...facts.members.malformed, ...unclear].includes(name),
      )
      assert.deepEqual(
        idsOf(plan, 'remove-device'),
        gone.map(({ deviceID }) => deviceID),
      )
      const { syncthing } = applied(facts, plan.changes)
      assert.ok(syncthing !== UNKNOWN, 'Syncthing does not answer')
      for (const { devices: shared } of syncthing.folders)
        for (const { deviceID } of gone)
          assert.ok(!shared.some((device) => device.deviceID === deviceID), 'it still has a folder')
    }),
    { numRuns: 500 },
  )
})

test('syncthing: a device of which nobody knows whose it is stays as it is, in every folder that it had', () => {
  fc.assert(
    fc.property(answered, (facts) => {
      const plan = decideSyncthing(facts)
      const claims = (id: string): number =>
        [...facts.members.valid.values()].filter(({ deviceId }) => deviceId === id).length
      const unclear = facts.syncthing.devices
        .filter(
          ({ deviceID, name }) =>
            deviceID !== deviceOf('n1') &&
            (claims(deviceID) > 1 || (claims(deviceID) === 0 && facts.members.malformed.includes(name))),
        )
        .map(({ deviceID }) => deviceID)
      const { syncthing } = applied(facts, plan.changes)
      assert.ok(syncthing !== UNKNOWN, 'Syncthing does not answer')
      for (const id of unclear) {
        const touched = idsOf(plan, 'add-device', 'change-device', 'remove-device').includes(id)
        assert.ok(!touched, 'the device is changed')
        for (const after of syncthing.folders) {
          const before = facts.syncthing.folders.find((folder) => folder.id === after.id)
          const had = before?.devices.some(({ deviceID }) => deviceID === id)
          const has = after.devices.some(({ deviceID }) => deviceID === id)
          assert.ok(!had || has, `it has ${after.id} no longer`)
        }
      }
    }),
    { numRuns: 500 },
  )
})

test('syncthing: a device that two claim is not taken in, and is said to be claimed', () => {
  fc.assert(
    fc.property(answered, (facts) => {
      const plan = decideSyncthing(facts)
      const claimed = [...facts.members.valid.values()].map(({ deviceId }) => deviceId)
      for (const id of claimed) {
        const twice = claimed.indexOf(id) !== claimed.lastIndexOf(id)
        const said = plan.problems?.some(
          (problem) => problem.includes('have published the same') && problem.endsWith(`(${id.slice(0, 7)})`),
        )
        assert.equal(said, twice)
        const touched = idsOf(plan, 'add-device', 'change-device').includes(id)
        if (twice && id !== deviceOf('n1')) assert.ok(!touched, 'the device is changed')
      }
    }),
    { numRuns: 500 },
  )
})

test('syncthing: every machine that is clear becomes a device, and every folder that is well is shared with all of them', () => {
  fc.assert(
    fc.property(answered, (facts) => {
      const { syncthing } = applied(facts, decideSyncthing(facts).changes)
      assert.ok(syncthing !== UNKNOWN, 'Syncthing does not answer')
      const ids = [...facts.members.valid.values()].map(({ deviceId }) => deviceId)
      const clear = [...facts.members.valid].filter(
        ([node, { deviceId }]) => node === 'n1' || ids.filter((id) => id === deviceId).length === 1,
      )
      for (const [node, { deviceId, address }] of clear) {
        const device: Device | undefined = syncthing.devices.find(({ deviceID }) => deviceID === deviceId)
        assert.equal(device?.name, node)
        if (node !== 'n1') assert.deepEqual(device['addresses'], [`tcp://${address}:22000`])
        for (const { id, path } of facts.folders.valid.values()) {
          const folder = syncthing.folders.find((one) => one.id === id && one.path === path)
          const has = folder?.devices.some(({ deviceID }) => deviceID === deviceId)
          assert.ok(has !== false, `${id} is not shared with ${node}`)
        }
      }
    }),
    { numRuns: 500 },
  )
})
