/** What runs the command of a check, as Consul's HTTP check asks it. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { repository, run } from './support/handlers.ts'

const directory = mkdtempSync(join(tmpdir(), 'understudy-service-check-'))
after(() => rmSync(directory, { recursive: true }))
const script = readFileSync(join(repository, 'packaging/service-check.sh'), 'utf8').replace(
  '/var/lib/understudy/services/check',
  directory,
)
const commands: Readonly<Record<string, string>> = {
  good: 'echo all is well',
  bad: 'echo no connection >&2; exit 1',
  worse: 'exit 3',
  hangs: 'sleep 30',
  loud: 'yes | head -c 100000',
}
for (const [name, text] of Object.entries(commands)) writeFileSync(join(directory, name), `${text}\n`)

async function ask(path: string): Promise<{ status: string; body: string; ms: number }> {
  const input = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:19534\r\nUser-Agent: Consul Health Check\r\n\r\n`
  const { exitCode, stdout, stderr, ms } = await run('/bin/sh', ['-c', script], {
    ...{ input, env: { PATH: '/usr/bin:/bin' } },
  })
  assert.deepEqual([exitCode, stderr], [0, ''])
  const [, status = '', body = ''] =
    /^HTTP\/1\.0 (\d+) [^\r]*\r\n(?:[^\r]+\r\n)*\r\n(.*)$/s.exec(stdout) ?? []
  return { status, body: body.trim(), ms }
}

describe('the command of a check', () => {
  const cases: readonly (readonly [path: string, status: string, body: RegExp])[] = [
    ['/good', '200', /^all is well$/],
    ['/bad', '503', /^no connection$/],
    ['/worse', '503', /^$/],
    ['/hangs', '503', /^the command did not end within 3 s: $|^the command did not end within 3 s:$/],
    ['/none', '404', /^the service none has no command$/],
    ['/', '404', /^there is no such service$/],
    ['/../../etc/passwd', '404', /^there is no such service$/],
    ['/good%20', '404', /^there is no such service$/],
  ]
  for (const [path, status, body] of cases)
    test(`${path} is answered with ${status}`, async () => {
      const answer = await ask(path)
      assert.equal(answer.status, status)
      assert.match(answer.body, body)
      assert.ok(answer.ms < 10_000, `${answer.ms} ms`)
    })
  test('what it says is cut', async () => assert.ok((await ask('/loud')).body.length <= 1000))
})
