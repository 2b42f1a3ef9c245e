import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { Syncthing } from '../../../lib/files/client.ts'
import type { MinCopies } from '../../../lib/files/decide-confirmation.ts'
import { type WaitOptions, waitForCopies } from '../../../lib/files/wait.ts'
import { deviceOf } from '../support/documents.ts'
import { answering, closeServers, listen } from '../support/server.ts'

afterEach(closeServers)

/** What another machine says at one look: the names that it lacks, or that it is not connected and what it lacked last. */
type Said = readonly string[] | { away: readonly string[] }
/** A delete that a machine has not carried out is written with a minus. */
const needOf = (name: string) => ({ name: name.replace(/^-/, ''), size: 10, deleted: name.startsWith('-') })

interface Scene {
  /** What n2, and n3, say at the first look, the second, and so on; the last goes on. */
  n2: readonly Said[]
  n3?: readonly Said[]
  /** The tree of the folder at the call, as `/rest/db/browse` has it; null: Syncthing refused. */
  tree?: unknown
  /** This machine's sequence number at the call, and of single files. */
  sequence?: number
  files?: Readonly<Record<string, number>>
  path?: string
  minCopies?: MinCopies
  timeoutMs?: number
}

const file = (name: string) => ({ name, type: 'FILE_INFO_TYPE_FILE', size: 10 })
const folder = { id: 'shared-1', label: 'shared', path: '/srv/shared', paused: false, devices: [] }

async function wait(scene: Scene) {
  const { n2, n3, tree = [], sequence = 100, files = {}, path = null, minCopies = 'all' } = scene
  const others = new Map([[deviceOf('n2'), n2], ...(n3 ? [[deviceOf('n3'), n3] as const] : [])])
  let looks = 0
  const saidBy = (device: string): Said => {
    const all = others.get(device) ?? []
    return all[Math.min(looks, all.length) - 1] ?? []
  }
  const answers: Readonly<Record<string, (query: URLSearchParams) => unknown>> = {
    '/rest/system/status': () => ({ myID: deviceOf('n1') }),
    '/rest/config/devices': () => [
      { deviceID: deviceOf('n1'), name: 'n1' },
      { deviceID: deviceOf('n2'), name: 'n2' },
      ...(n3 ? [{ deviceID: deviceOf('n3'), name: 'n3' }] : []),
    ],
    '/rest/db/status': () => ({ error: '', state: 'idle' }),
    '/rest/db/scan': () => '',
    '/rest/folder/errors': () => ({ errors: null }),
    '/rest/db/file': (query) => ({
      local: { deleted: false, sequence: files[query.get('file') ?? ''] ?? 1 },
    }),
    '/rest/db/completion': () => ({ sequence }),
    '/rest/db/browse': () => tree,
    '/rest/system/connections': () => {
      looks += 1
      return {
        connections: Object.fromEntries(
          [...others.keys()].map((device) => [device, { connected: !('away' in saidBy(device)) }]),
        ),
      }
    },
    '/rest/db/remoteneed': (query) => {
      const said = saidBy(query.get('device') ?? '')
      return { files: ('away' in said ? said.away : said).map(needOf) }
    },
  }
  const { listener, seen } = answering(({ url }) => {
    const { pathname, searchParams } = new URL(url, 'http://x')
    const answer = answers[pathname]?.(searchParams)
    return answer === undefined || answer === null
      ? { status: 500, text: 'refused' }
      : { text: JSON.stringify(answer) }
  })
  const daemon = new Syncthing({ key: 'secret', port: await listen(listener), timeoutMs: 2000 })
  const options: WaitOptions = {
    ...{ folders: [folder], path, minCopies, timeoutMs: scene.timeoutMs ?? 5000 },
  }
  const result = await waitForCopies(daemon, options)
  const asked = new Set(seen.map(({ url }) => new URL(url, 'http://x').pathname))
  return { ...result, looks, asked }
}

describe('a wait: what another machine lacks now decides', () => {
  test('it has everything: one look is enough, and no more is asked than that', async () => {
    const { looks, complete, asked } = await wait({ n2: [[]] })
    assert.deepEqual([looks, complete], [1, ['n2']])
    assert.ok(!asked.has('/rest/db/browse'), 'the whole folder was read')
  })

  test('it reconnects with an old index and says that it lacks a file that was there', async () => {
    const { looks } = await wait({ n2: [{ away: [] }, ['a'], []], tree: [file('a')] })
    assert.equal(looks, 3, 'confirmed while n2 lacked the file')
  })

  test('the same of the file that a put has written', async () => {
    const { looks } = await wait({ n2: [{ away: [] }, ['sub/a'], []], path: 'sub/a' })
    assert.equal(looks, 3, 'confirmed while n2 lacked the file')
  })

  test('the same of a file deep in the folder, or below the path that was asked for', async () => {
    const below = [{ name: 'b', type: 'FILE_INFO_TYPE_DIRECTORY', size: 0, children: [file('c')] }]
    const tree = [{ name: 'a', type: 'FILE_INFO_TYPE_DIRECTORY', size: 0, children: below }]
    assert.equal((await wait({ n2: [{ away: [] }, ['a/b/c'], []], tree })).looks, 3)
    assert.equal((await wait({ n2: [{ away: [] }, ['a/b/c'], []], tree: below, path: 'a' })).looks, 3)
  })

  test('it had a file that is changed meanwhile', async () => {
    const { looks } = await wait({ n2: [[], ['a'], []], n3: [['b'], [], []], tree: [file('a'), file('b')] })
    assert.equal(looks, 3, 'confirmed while n2 lacked the change')
  })

  test('it lacked a file at first that is deleted meanwhile: the delete counts', async () => {
    assert.equal((await wait({ n2: [['a'], ['-a'], []] })).looks, 3)
  })

  test('a delete from before the call counts, whenever it is asked for', async () => {
    const { looks } = await wait({ n2: [{ away: [] }, ['-gone'], []], files: { gone: 100 } })
    assert.equal(looks, 3, 'confirmed while n2 still had the deleted file')
  })

  test('files that are made later do not count, nor that they are deleted again', async () => {
    const { looks } = await wait({
      ...{ n2: [['a'], ['later', '-temporary']], tree: [file('a')], files: { temporary: 101 } },
    })
    assert.equal(looks, 2)
  })

  test('Syncthing cannot list what is there: then everything counts', async () => {
    assert.equal((await wait({ n2: [{ away: [] }, ['a'], []], tree: null })).looks, 3)
  })

  test('at the deadline it is said who lacks what', async () => {
    await assert.rejects(wait({ n2: [{ away: [] }, ['a']], tree: [file('a')], timeoutMs: 1500 }), {
      exitCode: 75,
      message: /n2 lacks 1 file \(10 B\): shared\/a/,
    })
  })
})
