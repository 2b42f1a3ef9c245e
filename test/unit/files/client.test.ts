import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { explain, UnderstudyError } from '../../../lib/core/errors.ts'
import { Syncthing } from '../../../lib/files/client.ts'
import { filesPaths } from '../../../lib/files/manifest.ts'
import { deviceOf } from '../support/documents.ts'
import { answering, closeServers, listen, type Received } from '../support/server.ts'

afterEach(closeServers)

/** A client of a server that answers so. */
async function clientOf(
  answer: (request: Received) => { status?: number; text?: string },
): Promise<{ client: Syncthing; seen: Received[] }> {
  const { listener, seen } = answering(answer)
  return { client: new Syncthing({ key: 'secret', port: await listen(listener), timeoutMs: 2000 }), seen }
}
const says = (status: number, value: unknown) => () => ({
  status,
  text: typeof value === 'string' ? value : JSON.stringify(value),
})
const N2 = deviceOf('n2')

describe('Syncthing: what it is asked', () => {
  const all: readonly (readonly [
    line: string,
    ask: (client: Syncthing) => Promise<unknown>,
    body: unknown,
    answer: unknown,
    value: unknown,
  ])[] = [
    ['GET /rest/system/status', (one) => one.deviceId(), undefined, { myID: N2, alloc: 1 }, N2],
    ['GET /rest/config/options', (one) => one.options(), undefined, { a: 1 }, { a: 1 }],
    [
      'PATCH /rest/config/options',
      (one) => one.changeOptions({ natEnabled: false }),
      { natEnabled: false },
      '',
      undefined,
    ],
    [
      'GET /rest/config/devices',
      (one) => one.devices(),
      undefined,
      [{ deviceID: N2, name: 'n2' }],
      [{ deviceID: N2, name: 'n2' }],
    ],
    [
      `PUT /rest/config/devices/${N2}`,
      (one) => one.addDevice({ deviceID: N2, name: 'n2' }),
      { deviceID: N2, name: 'n2' },
      '',
      undefined,
    ],
    // PUT would set all that is not said back to its default.
    [
      `PATCH /rest/config/devices/${N2}`,
      (one) => one.changeDevice(N2, { paused: false }),
      { paused: false },
      '',
      undefined,
    ],
    [`DELETE /rest/config/devices/${N2}`, (one) => one.removeDevice(N2), undefined, '', undefined],
    ['GET /rest/config/folders', (one) => one.folders(), undefined, [], []],
    [
      'PUT /rest/config/folders/files-1',
      (one) => one.addFolder({ id: 'files-1', label: 'files' }),
      { id: 'files-1', label: 'files' },
      '',
      undefined,
    ],
    [
      'PATCH /rest/config/folders/files-1',
      (one) => one.changeFolder('files-1', { paused: false }),
      { paused: false },
      '',
      undefined,
    ],
    ['DELETE /rest/config/folders/files-1', (one) => one.removeFolder('files-1'), undefined, '', undefined],
    [
      'GET /rest/db/ignores?folder=files-1',
      (one) => one.ignores('files-1'),
      undefined,
      { ignore: ['*.log'], expanded: ['*.log', '**/*.log'] },
      ['*.log'],
    ],
    [
      'GET /rest/db/ignores?folder=files-1',
      (one) => one.ignores('files-1'),
      undefined,
      { ignore: null, expanded: null },
      [],
    ],
    [
      'POST /rest/db/ignores?folder=files-1',
      (one) => one.setIgnores('files-1', ['*.log']),
      { ignore: ['*.log'] },
      { ignore: ['*.log'] },
      undefined,
    ],
    [
      'GET /rest/system/connections',
      (one) => one.connected(),
      undefined,
      { connections: { a: { connected: true }, b: { connected: false }, c: { connected: true } }, total: {} },
      new Set(['a', 'c']),
    ],
    [
      'GET /rest/db/status?folder=files-1',
      (one) => one.folderStatus('files-1'),
      undefined,
      // As 1.19 says it.
      { state: 'idle' },
      { state: 'idle', error: '', watchError: '' },
    ],
    [
      'GET /rest/db/status?folder=files-1',
      (one) => one.folderStatus('files-1'),
      undefined,
      { state: 'error', error: 'no marker', watchError: 'no watches left' },
      { state: 'error', error: 'no marker', watchError: 'no watches left' },
    ],
    [
      'GET /rest/folder/errors?folder=files-1&perpage=1000',
      (one) => one.errors('files-1'),
      undefined,
      { errors: [{ path: 'a', error: 'permission denied' }] },
      [{ path: 'a', error: 'permission denied' }],
    ],
    [
      'GET /rest/folder/errors?folder=files-1&perpage=1000',
      (one) => one.errors('files-1'),
      undefined,
      { errors: null },
      [],
    ],
    [
      `GET /rest/db/completion?folder=files-1&device=${N2}`,
      (one) => one.completion('files-1', N2),
      undefined,
      { needItems: 1 },
      { needItems: 1 },
    ],
    [
      'GET /rest/db/completion?folder=files-1',
      (one) => one.sequence('files-1'),
      undefined,
      { needItems: 1, sequence: 7 },
      7,
    ],
    [
      'GET /rest/db/browse?folder=files-1',
      (one) => one.names('files-1', null, 2000),
      undefined,
      [
        { name: 'a', type: 'FILE_INFO_TYPE_FILE', size: 1 },
        { name: 'b', type: 'FILE_INFO_TYPE_DIRECTORY', children: [{ name: 'c', children: [{ name: 'd' }] }] },
      ],
      ['a', 'b', 'b/c', 'b/c/d'],
    ],
    [
      'GET /rest/db/browse?folder=files-1&prefix=a%2Fb',
      (one) => one.names('files-1', 'a/b', 2000),
      undefined,
      [{ name: 'c' }],
      ['a/b/c'],
    ],
    ['POST /rest/db/scan?folder=files-1', (one) => one.scan('files-1', null, 2000), undefined, '', undefined],
    [
      'POST /rest/db/scan?folder=files-1&sub=a%2Fb',
      (one) => one.scan('files-1', 'a/b', 2000),
      undefined,
      '',
      undefined,
    ],
    [
      'GET /rest/db/file?folder=files-1&file=a%2Fb',
      (one) => one.file('files-1', 'a/b'),
      undefined,
      { local: { deleted: false }, global: { deleted: true } },
      { deleted: false },
    ],
  ]
  for (const [line, ask, body, answer, value] of all) {
    test(`${line}${body === undefined ? '' : ` ${JSON.stringify(body)}`}, says ${JSON.stringify(answer)}`, async () => {
      const { client, seen } = await clientOf(says(200, answer))
      assert.deepEqual(await ask(client), value)
      assert.deepEqual(
        seen.map(({ method, url }) => `${method} ${url}`),
        [line],
      )
      assert.equal(seen[0]?.text, body === undefined ? '' : JSON.stringify(body))
      assert.equal(seen[0]?.headers['x-api-key'], 'secret')
    })
  }
})

describe('Syncthing: paths of files', () => {
  const names = [
    'a b.txt',
    'ü.txt',
    'a&device=x',
    'a?b#c',
    '100%',
    'a+b',
    'a=b',
    'x/y z/ö',
    '"quoted"',
    '日本',
  ]
  for (const name of names) {
    test(`${name} arrives as it is`, async () => {
      const { client, seen } = await clientOf(says(200, { local: null }))
      await client.file('files-1', name)
      await client.scan('files-1', name, 2000)
      const asked = seen.map(({ url }) => Object.fromEntries(new URL(url, 'http://x').searchParams))
      assert.deepEqual(asked, [
        { folder: 'files-1', file: name },
        { folder: 'files-1', sub: name },
      ])
    })
  }
})

describe('Syncthing: what a device lacks', () => {
  const PAGE = 10_000
  /** A device that lacks so many files. */
  const lacking = (count: number) => (request: Received) => {
    const query = new URL(request.url, 'http://x').searchParams
    assert.equal(query.get('folder'), 'files-1')
    assert.equal(query.get('device'), N2)
    const perPage = Number(query.get('perpage'))
    const first = (Number(query.get('page')) - 1) * perPage
    const names = Array.from({ length: Math.max(0, Math.min(perPage, count - first)) }, (_, index) => ({
      name: `f${first + index}`,
      size: 1,
      deleted: false,
      version: null,
    }))
    return { text: JSON.stringify({ files: names.length > 0 ? names : null, page: 1, perpage: perPage }) }
  }
  for (const [count, pages] of [
    [0, 1],
    [1, 1],
    [PAGE - 1, 1],
    // Only the next page tells that there are no more.
    [PAGE, 2],
    [2 * PAGE + 3, 3],
  ] as const) {
    test(`${count} files come in ${pages} ${pages === 1 ? 'page' : 'pages'}, each of them once`, async () => {
      const { client, seen } = await clientOf(lacking(count))
      const found = await client.needs('files-1', N2)
      assert.equal(found.length, count)
      assert.equal(new Set(found.map(({ name }) => name)).size, count)
      assert.equal(seen.length, pages)
    })
  }

  test('a page that fails is an error, not an end', async () => {
    let asked = 0
    const { client } = await clientOf((request) =>
      asked++ === 0 ? lacking(2 * PAGE)(request) : { status: 500, text: 'no' },
    )
    await assert.rejects(client.needs('files-1', N2), { exitCode: 1 })
  })
})

describe('Syncthing: what it says where it cannot', () => {
  const failures: readonly (readonly [status: number, exitCode: number, message: string])[] = [
    [403, 78, `Syncthing rejects the key in ${filesPaths.apiKey}; run understudy join again`],
    [400, 1, 'could not list devices: Syncthing refused: 400: no'],
    [404, 1, 'could not list devices: Syncthing refused: 404: no'],
    [500, 1, 'could not list devices: Syncthing refused: 500: no'],
  ]
  for (const [status, exitCode, message] of failures) {
    test(`${status} is ${exitCode}: ${message}`, async () => {
      const { client } = await clientOf(says(status, 'no'))
      await assert.rejects(client.devices(), (error) => {
        assert.ok(error instanceof UnderstudyError, String(error))
        assert.equal(error.exitCode, exitCode)
        assert.equal(explain(error), message)
        return true
      })
    })
  }

  test('the key itself is never said', async () => {
    for (const status of [403, 500]) {
      const { client } = await clientOf(says(status, 'no'))
      await assert.rejects(client.addDevice({ deviceID: N2, name: 'n2' }), (error) => {
        assert.doesNotMatch(explain(error), /secret/)
        return true
      })
    }
  })

  test('nobody listens: 69', async () => {
    const { client } = await clientOf(says(200, []))
    await closeServers()
    await assert.rejects(client.folders(), {
      name: 'UnderstudyError',
      exitCode: 69,
      message: 'could not list folders: Syncthing does not answer',
    })
  })

  test('it is silent: 69 at the deadline', async () => {
    const port = await listen(() => {})
    const started = performance.now()
    const client = new Syncthing({ key: 'secret', port, timeoutMs: 100 })
    await assert.rejects(client.deviceId(), { exitCode: 69 })
    assert.ok(performance.now() - started < 1500, 'it took too long')
  })

  test('a scan has a deadline of its own, as it takes as long as there are files', async () => {
    const port = await listen((_request, response) => {
      setTimeout(() => response.end(), 300)
    })
    const client = new Syncthing({ key: 'secret', port, timeoutMs: 100 })
    await client.scan('files-1', null, 2000)
    await assert.rejects(client.folderStatus('files-1'), { exitCode: 69 })
  })

  test('something else answers at its port: 69', async () => {
    const { client } = await clientOf(says(200, '<html>'))
    await assert.rejects(client.folders(), { exitCode: 69 })
  })

  test('a file that it never had is null', async () => {
    const { client } = await clientOf(says(404, 'no such object in the index\n'))
    assert.equal(await client.file('files-1', 'a'), null)
  })

  for (const [status, exitCode] of [
    [403, 78],
    [500, 1],
  ] as const) {
    test(`a file of which it does not tell is an error, not null: ${status}`, async () => {
      const { client } = await clientOf(says(status, 'no'))
      await assert.rejects(client.file('files-1', 'a'), { exitCode })
    })
  }
})
