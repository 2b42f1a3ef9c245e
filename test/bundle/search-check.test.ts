/** Consul's check of a search server, against a server that says what one says, with TLS and a password. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { renderServer } from '../../lib/search/config.ts'
import { searchPaths } from '../../lib/search/manifest.ts'
import { repository, run } from './support/handlers.ts'

const directory = mkdtempSync(join(tmpdir(), 'understudy-search-'))
after(() => rmSync(directory, { recursive: true }))
const file = (name: string): string => join(directory, name)
const script = readFileSync(join(repository, 'packaging/search-check.sh'), 'utf8')
writeFileSync(
  file('check'),
  script
    .replaceAll(searchPaths.server, file('search.env'))
    .replaceAll(searchPaths.login, file('search.login'))
    .replace('--max-time 5', '--max-time 2'),
)

const health = (status: string, more = {}) => JSON.stringify({ cluster_name: 'x', status, ...more })
/** Command lines of all processes that can be seen. */
const commandLines = (): string =>
  readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
      } catch {
        return ''
      }
    })
    .join('\n')

interface Served {
  answer: string
  status?: number
  login?: string
  authority?: string | null
  tls?: { key: string; cert: string }
}

/** Runs the check while a server answers like this. */
async function checked({ answer, status = 200, login, authority = null, tls }: Served) {
  const asked: { url: string; authorization: string | undefined; running: string }[] = []
  const listener: RequestListener = ({ url = '', headers: { authorization } }, response) => {
    asked.push({ url, authorization, running: commandLines() })
    response.writeHead(status).end(answer)
  }
  const server = tls ? createTlsServer(tls, listener) : createServer(listener)
  server.listen(0, 'localhost')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  writeFileSync(file('search.env'), renderServer(`http${tls ? 's' : ''}://localhost:${port}`, authority))
  rmSync(file('search.login'), { force: true })
  if (login !== undefined) writeFileSync(file('search.login'), `${login}\n`)
  const ended = await run('/bin/sh', [file('check')])
  server.closeAllConnections()
  server.close()
  return { ...ended, asked }
}

describe('search-check', () => {
  for (const status of ['green', 'yellow'])
    test(`${status} passes`, async () => {
      const { exitCode, stdout, asked } = await checked({ answer: health(status) })
      assert.deepEqual([exitCode, stdout], [0, 'the server answers'])
      assert.deepEqual(
        asked.map(({ url, authorization }) => [url, authorization]),
        [['/_cluster/health?local=true', undefined]],
      )
    })

  for (const answer of [health('red'), health('yellow', { discovered_master: false })])
    test(`${answer} warns`, async () => {
      const { exitCode, stdout } = await checked({ answer })
      assert.equal(exitCode, 1)
      assert.match(stdout, /no elected master, or data is missing/)
    })

  test('another answer is critical', async () => {
    const { exitCode, stdout } = await checked({ answer: 'overloaded', status: 503 })
    assert.equal(exitCode, 2)
    assert.match(stdout, /does not answer: overloaded 503$/)
  })

  test('a server that is not there is critical, and one that stays silent', async () => {
    writeFileSync(file('search.env'), renderServer('http://localhost:9', null))
    const { exitCode, stdout } = await run('/bin/sh', [file('check')])
    assert.equal(exitCode, 2)
    assert.match(stdout, /^http:\/\/localhost:9 does not answer: curl: /)
    const silent = createServer(() => {})
    silent.listen(0, 'localhost')
    await once(silent, 'listening')
    writeFileSync(
      file('search.env'),
      renderServer(`http://localhost:${(silent.address() as AddressInfo).port}`, null),
    )
    const late = await run('/bin/sh', [file('check')])
    silent.closeAllConnections()
    silent.close()
    assert.equal(late.exitCode, 2)
    assert.match(late.stdout, /timed out/)
  })

  test('before it is set up it is critical', async () => {
    rmSync(file('search.env'), { force: true })
    assert.equal((await run('/bin/sh', [file('check')])).exitCode, 2)
  })

  test('a password reaches the server, and no command line', async () => {
    const login = 'elastic:qu"ote\\ and $HOME'
    const { exitCode, asked } = await checked({ answer: health('green'), login })
    assert.equal(exitCode, 0)
    const [{ authorization = '', running } = { running: '' }] = asked
    assert.equal(Buffer.from(authorization.replace('Basic ', ''), 'base64').toString(), login)
    assert.match(running, /curl/)
    assert.doesNotMatch(running, /qu"ote/)
  })

  test('a wrong one is said plainly', async () => {
    const { exitCode, stdout } = await checked({ answer: '{}', status: 401 })
    assert.equal(exitCode, 2)
    assert.match(stdout, /wants another login than that in .*search\.login \(one line, USER:PASSWORD\)/)
  })

  test('TLS: a certificate that is known passes, another one does not', async () => {
    for (const name of ['own', 'other']) {
      const made = [
        '-newkey',
        'rsa:2048',
        '-nodes',
        '-keyout',
        file(`${name}.key`),
        '-out',
        file(`${name}.crt`),
      ]
      const about = ['-subj', '/CN=x', '-addext', 'subjectAltName=DNS:localhost', '-days', '2']
      const { exitCode, stderr } = await run('/usr/bin/openssl', ['req', '-x509', ...made, ...about])
      assert.equal(exitCode, 0, stderr)
    }
    const tls = { key: readFileSync(file('own.key'), 'utf8'), cert: readFileSync(file('own.crt'), 'utf8') }
    const known = await checked({ answer: health('green'), tls, authority: file('own.crt') })
    assert.deepEqual([known.exitCode, known.stdout], [0, 'the server answers'])
    const unknown = await checked({ answer: health('green'), tls, authority: file('other.crt') })
    assert.equal(unknown.exitCode, 2)
    assert.match(unknown.stdout, /certificate/)
    assert.deepEqual(unknown.asked, [], 'and it gets no password')
  })
})
