import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import type { Completion, FolderStatus } from '../../../lib/files/api.ts'
import { Syncthing } from '../../../lib/files/client.ts'
import { type Copy, copyElsewhere, copyHere } from '../../../lib/files/decide-copy.ts'
import { observeFiles } from '../../../lib/files/observe.ts'
import { deviceOf } from '../support/documents.ts'
import { answering, closeServers, listen } from '../support/server.ts'

afterEach(closeServers)

describe('files: the copy here', () => {
  const inSync: FolderStatus = {
    state: 'idle',
    error: '',
    pullErrors: 0,
    needTotalItems: 0,
    needBytes: 0,
    sequence: 7,
    watchError: '',
  }
  const lacking = { needTotalItems: 3, needBytes: 700 }
  const cases: readonly (readonly [
    caption: string,
    difference: Partial<FolderStatus>,
    firstError: string | null,
    copy: Copy,
  ])[] = [
    ['has everything', {}, null, { state: 'in-sync', files: 0, bytes: 0 }],
    ['is being scanned', { state: 'scanning' }, null, { state: 'in-sync', files: 0, bytes: 0 }],
    ['lacks files', lacking, null, { state: 'behind', files: 3, bytes: 700 }],
    // A delete, or an empty file.
    ['lacks one of no bytes', { needTotalItems: 1 }, null, { state: 'behind', files: 1, bytes: 0 }],
    [
      'cannot write a file',
      { ...lacking, pullErrors: 1 },
      'a/b: permission denied',
      { state: 'failing', files: 3, bytes: 700, why: 'a/b: permission denied' },
    ],
    [
      'cannot read a file, and lacks none',
      { pullErrors: 1 },
      'a/b: permission denied',
      { state: 'failing', files: 0, bytes: 0, why: 'a/b: permission denied' },
    ],
    [
      'is stopped: nobody looks at what it lacks',
      { state: 'error', error: 'folder marker missing' },
      null,
      { state: 'stopped', files: 0, bytes: 0, why: 'folder marker missing' },
    ],
    [
      'is stopped, and lacked something before',
      { state: 'error', error: 'folder path missing', watchError: 'no such file', ...lacking },
      'a: no such file',
      { state: 'stopped', files: 3, bytes: 700, why: 'folder path missing' },
    ],
    [
      'has everything, but would not notice a change at once',
      { watchError: 'no space left on device' },
      null,
      { state: 'in-sync', files: 0, bytes: 0, why: 'changes are not watched: no space left on device' },
    ],
    [
      'lacks files, and would not notice a change',
      { watchError: 'no space left on device', ...lacking },
      null,
      { state: 'behind', files: 3, bytes: 700, why: 'changes are not watched: no space left on device' },
    ],
    [
      'cannot write a file, which matters more than the watcher',
      { watchError: 'no space left on device', ...lacking },
      'a: permission denied',
      { state: 'failing', files: 3, bytes: 700, why: 'a: permission denied' },
    ],
    [
      'had something to complain of, but no longer when it was asked of what',
      { pullErrors: 1 },
      null,
      { state: 'in-sync', files: 0, bytes: 0 },
    ],
  ]
  for (const [caption, difference, firstError, copy] of cases)
    test(caption, () => assert.deepEqual(copyHere({ ...inSync, ...difference }, firstError), copy))
})

describe('files: the copy of another machine', () => {
  const nothing: Completion = {
    needItems: 0,
    needDeletes: 0,
    needBytes: 0,
    globalItems: 10,
    sequence: 10,
    remoteState: 'valid',
  }
  /** As a Syncthing before 1.20 says it, which does not tell whether the other shares the folder. */
  const { remoteState: _, ...old } = nothing
  const lacking = { needItems: 2, needDeletes: 1, needBytes: 700 }
  const cases: readonly (readonly [
    caption: string,
    connected: boolean,
    completion: Completion,
    copy: Copy,
  ])[] = [
    ['has everything', true, nothing, { state: 'in-sync', files: 0, bytes: 0 }],
    ['lacks files and deletes', true, { ...nothing, ...lacking }, { state: 'behind', files: 3, bytes: 700 }],
    ['lacks a delete only', true, { ...nothing, needDeletes: 1 }, { state: 'behind', files: 1, bytes: 0 }],
    ['lacks an empty file only', true, { ...nothing, needItems: 1 }, { state: 'behind', files: 1, bytes: 0 }],
    [
      'is not connected, and had everything when it was',
      false,
      nothing,
      { state: 'disconnected', files: 0, bytes: 0 },
    ],
    ['is not connected', false, { ...nothing, ...lacking }, { state: 'disconnected', files: 3, bytes: 700 }],
    [
      'is not connected, so that what it said last of sharing says nothing',
      false,
      { ...nothing, remoteState: 'unknown' },
      { state: 'disconnected', files: 0, bytes: 0 },
    ],
    [
      'does not share the folder: that it lacks nothing of it says nothing',
      true,
      { ...nothing, remoteState: 'notSharing' },
      { state: 'not-shared', files: 0, bytes: 0 },
    ],
    [
      'has paused the folder',
      true,
      { ...nothing, remoteState: 'paused', ...lacking },
      { state: 'not-shared', files: 3, bytes: 700 },
    ],
    [
      'has not said yet whether it shares the folder',
      true,
      { ...nothing, remoteState: 'unknown' },
      { state: 'not-shared', files: 0, bytes: 0 },
    ],
    [
      'says of the folder what we do not understand',
      true,
      { ...nothing, remoteState: 'something new' },
      { state: 'not-shared', files: 0, bytes: 0 },
    ],
    [
      'does not share the folder, and there is nothing in it',
      true,
      { ...nothing, remoteState: 'notSharing', globalItems: 0, sequence: 0 },
      { state: 'not-shared', files: 0, bytes: 0 },
    ],
    [
      'says that it shares the folder, though it has announced nothing yet',
      true,
      { ...nothing, sequence: 0 },
      { state: 'in-sync', files: 0, bytes: 0 },
    ],
    ['before 1.20: has everything', true, old, { state: 'in-sync', files: 0, bytes: 0 }],
    ['before 1.20: lacks files', true, { ...old, ...lacking }, { state: 'behind', files: 3, bytes: 700 }],
    [
      'before 1.20: has announced nothing, though there are files',
      true,
      { ...old, sequence: 0 },
      { state: 'not-shared', files: 0, bytes: 0 },
    ],
    [
      'before 1.20: has announced nothing, as there is nothing',
      true,
      { ...old, sequence: 0, globalItems: 0 },
      { state: 'in-sync', files: 0, bytes: 0 },
    ],
    [
      'before 1.20: has announced nothing, and is not connected',
      false,
      { ...old, sequence: 0 },
      { state: 'disconnected', files: 0, bytes: 0 },
    ],
  ]
  for (const [caption, connected, completion, copy] of cases)
    test(caption, () => assert.deepEqual(copyElsewhere(connected, completion), copy))
})

describe('files: what is seen', () => {
  const quiet = {
    state: 'idle',
    error: '',
    pullErrors: 0,
    needTotalItems: 0,
    needBytes: 0,
    sequence: 7,
    watchError: '',
  }
  const complete = {
    needItems: 0,
    needDeletes: 0,
    needBytes: 0,
    globalItems: 9,
    sequence: 9,
    remoteState: 'valid',
  }
  const [n1, n2, n3] = [deviceOf('n1'), deviceOf('n2'), deviceOf('n3')]
  const devices = [
    { deviceID: n2, name: 'n2' },
    { deviceID: n1, name: 'n1' },
    { deviceID: n3, name: 'n3' },
  ]
  const resources = { id: 'resources-1', label: 'resources', path: '/srv/resources' }
  const website = { id: 'website-2', label: 'website', path: '/srv/website' }
  const resourcesOf = `folder=${resources.id}`
  const websiteOf = `folder=${website.id}`

  /** The Syncthing of n1, connected to n2 and not to n3, with all in order but for these answers; 500 where it knows none. */
  async function daemonWith(different: Readonly<Record<string, unknown>>) {
    const answers: Readonly<Record<string, unknown>> = {
      '/rest/system/status': { myID: n1 },
      '/rest/config/devices': devices,
      '/rest/config/folders': [resources, website],
      '/rest/system/connections': {
        connections: { [n1]: { connected: false }, [n2]: { connected: true }, [n3]: { connected: false } },
      },
      [`/rest/db/status?${resourcesOf}`]: quiet,
      [`/rest/db/status?${websiteOf}`]: { ...quiet, sequence: 8 },
      [`/rest/db/completion?${resourcesOf}&device=${n2}`]: complete,
      [`/rest/db/completion?${resourcesOf}&device=${n3}`]: complete,
      [`/rest/db/completion?${websiteOf}&device=${n2}`]: complete,
      [`/rest/db/completion?${websiteOf}&device=${n3}`]: complete,
      ...different,
    }
    const { listener, seen } = answering(({ url }) =>
      url in answers ? { text: JSON.stringify(answers[url]) } : { status: 500, text: 'not expected' },
    )
    return { daemon: new Syncthing({ key: 'secret', port: await listen(listener), timeoutMs: 2000 }), seen }
  }
  const inSync: Copy = { state: 'in-sync', files: 0, bytes: 0 }
  const disconnected: Copy = { state: 'disconnected', files: 0, bytes: 0 }

  test('every folder, on this machine and on the others by name, and who is connected', async () => {
    const { daemon, seen } = await daemonWith({
      [`/rest/db/status?${websiteOf}`]: { ...quiet, sequence: 8, needTotalItems: 2, needBytes: 30 },
      [`/rest/db/completion?${websiteOf}&device=${n2}`]: { ...complete, remoteState: 'notSharing' },
      [`/rest/db/completion?${websiteOf}&device=${n3}`]: { ...complete, needDeletes: 1, needBytes: 0 },
    })
    assert.deepEqual(await observeFiles(daemon), {
      folders: [
        {
          label: 'resources',
          path: '/srv/resources',
          sequence: 7,
          here: inSync,
          others: new Map([
            ['n2', inSync],
            ['n3', disconnected],
          ]),
        },
        {
          label: 'website',
          path: '/srv/website',
          sequence: 8,
          here: { state: 'behind', files: 2, bytes: 30 },
          others: new Map([
            ['n2', { state: 'not-shared', files: 0, bytes: 0 }],
            ['n3', { ...disconnected, files: 1 }],
          ]),
        },
      ],
      // Not this machine itself.
      connected: new Map([
        ['n2', true],
        ['n3', false],
      ]),
    })
    for (const { method } of seen) assert.equal(method, 'GET')
  })

  test('of several errors the first, and how many more, of that folder alone', async () => {
    const { daemon } = await daemonWith({
      [`/rest/db/status?${websiteOf}`]: { ...quiet, pullErrors: 2 },
      [`/rest/folder/errors?${websiteOf}&perpage=1000`]: {
        errors: [
          { path: 'a/b', error: 'permission denied' },
          { path: 'c', error: 'no space left on device' },
        ],
      },
    })
    const { folders } = await observeFiles(daemon)
    assert.deepEqual(
      folders.map(({ here }) => here),
      [inSync, { state: 'failing', files: 0, bytes: 0, why: 'a/b: permission denied (and 1 more)' }],
    )
  })

  test('errors that are gone when it is asked for them', async () => {
    const { daemon } = await daemonWith({
      [`/rest/db/status?${resourcesOf}`]: { ...quiet, pullErrors: 1 },
      [`/rest/folder/errors?${resourcesOf}&perpage=1000`]: { errors: null },
    })
    assert.deepEqual((await observeFiles(daemon)).folders[0]?.here, inSync)
  })

  test('without a folder, who is connected', async () => {
    const { daemon } = await daemonWith({ '/rest/config/folders': [] })
    assert.deepEqual(await observeFiles(daemon), {
      folders: [],
      connected: new Map([
        ['n2', true],
        ['n3', false],
      ]),
    })
  })

  test('a machine of whose connection nothing is said is not connected', async () => {
    const { daemon } = await daemonWith({ '/rest/system/connections': { connections: {} } })
    assert.deepEqual([...(await observeFiles(daemon)).connected.values()], [false, false])
  })

  test('the only machine', async () => {
    const { daemon } = await daemonWith({
      '/rest/config/devices': devices.filter(({ name }) => name === 'n1'),
      '/rest/config/folders': [resources],
    })
    assert.deepEqual(await observeFiles(daemon), {
      folders: [{ label: 'resources', path: '/srv/resources', sequence: 7, here: inSync, others: new Map() }],
      connected: new Map(),
    })
  })

  test('one answer that is missing is an error, and not a copy that lacks nothing', async () => {
    const { daemon } = await daemonWith({ '/rest/config/folders': [{ ...resources, id: 'other' }] })
    await assert.rejects(observeFiles(daemon), { name: 'UnderstudyError', exitCode: 1 })
  })
})
