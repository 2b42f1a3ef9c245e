/** What a fence does on a machine where something fails: in namespaces of its own, with a systemctl that only writes down. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const skip =
  (process.getuid?.() !== 0 && 'namespaces need root') ||
  (!existsSync('/usr/bin/systemctl') && 'needs a file /usr/bin/systemctl to put ours over')

const here = fileURLToPath(new URL('.', import.meta.url))
const directory = mkdtempSync(join(tmpdir(), 'understudy-fence-'))
after(() => rmSync(directory, { recursive: true }))

/** $1: the temporary directory; the rest: what to run. */
const ENTER = `
mount -n --bind "$1/systemctl" /usr/bin/systemctl
mount -n -t tmpfs tmpfs /run
mkdir -p /run/understudy/database
eval "$2"
shift 2
exec "$@"
`

/** As lib/postgresql/apply-fence.ts is called, with a Consul that does not answer. */
const FENCE = `
import { applyFence } from ${JSON.stringify(join(here, '../../../lib/postgresql/apply-fence.ts'))}
import { Consul } from ${JSON.stringify(join(here, '../../../lib/consul/client.ts'))}
import { settings } from ${JSON.stringify(join(here, '../support/settings.ts'))}
applyFence({ do: process.env['PLAN'] ?? 'fence', why: 'a test' }, { settings, consul: new Consul({ port: 1 }) })
  .then(() => process.exit(0), (error) => { console.error(error); process.exit(1) })
`

interface Fenced {
  /** What systemd was asked to do, one line each, with the time since the first of them. */
  asked: { what: string; atMs: number }[]
  stderr: string
}

/** @param slow how long systemd takes to queue a unit, in seconds. */
async function fence({
  plan = 'fence',
  prepare = 'true',
  slow = 0,
}: {
  plan?: string
  prepare?: string
  slow?: number
}): Promise<Fenced> {
  const asked = join(directory, 'asked')
  rmSync(asked, { force: true })
  const systemctl = `#!/bin/sh\necho "$(date +%s%3N) $*" >> ${asked}\n[ "$1" != start ] || sleep ${slow}\n`
  writeFileSync(join(directory, 'systemctl'), systemctl)
  chmodSync(join(directory, 'systemctl'), 0o755)
  const node = [process.execPath, '--import', 'tsx', '--input-type=module', '--eval', FENCE]
  const { stderr } = await promisify(execFile)(
    'unshare',
    ['--mount', '--propagation', 'private', 'sh', '-euc', ENTER, 'fence', directory, prepare, ...node],
    { cwd: here, timeout: 60_000, env: { ...process.env, PLAN: plan } },
  )
  const lines = readFileSync(asked, 'utf8').trim().split('\n')
  const began = Number(lines[0]?.split(' ')[0])
  return {
    stderr,
    asked: lines.map((line) => {
      const [at, ...what] = line.split(' ')
      return { what: what.join(' '), atMs: Number(at) - began }
    }),
  }
}

const WITHDRAW = 'start --no-block understudy-withdraw.service'
const STOP = 'stop postgresql@17-main.service'

describe('a fence', { skip }, () => {
  test('sends the clients away and stops PostgreSQL, in this order', async () => {
    const { asked } = await fence({})
    assert.deepEqual(
      asked.map(({ what }) => what),
      [WITHDRAW, STOP],
    )
  })

  test('only sends the clients away where there is nothing to stop', async () => {
    const { asked } = await fence({ plan: 'withdraw', prepare: 'mkdir /run/understudy/database/fenced' })
    assert.deepEqual(
      asked.map(({ what }) => what),
      [WITHDRAW],
    )
  })

  test('stops PostgreSQL also where the machine cannot be marked as fenced', async () => {
    // Nothing can be written where a directory is.
    const { asked, stderr } = await fence({ prepare: 'mkdir /run/understudy/database/fenced' })
    assert.deepEqual(
      asked.map(({ what }) => what),
      [WITHDRAW, STOP],
    )
    assert.match(stderr, /"failed":"mark this machine as fenced"/)
  })

  test('does not wait for long before it stops PostgreSQL where systemd does not answer', async () => {
    const { asked } = await fence({ slow: 8 })
    const stopped = asked.find(({ what }) => what === STOP)
    assert.ok(stopped, 'PostgreSQL was not stopped')
    assert.ok(stopped.atMs < 4000, `PostgreSQL was stopped after ${stopped.atMs} ms`)
  })
})
