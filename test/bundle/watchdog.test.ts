/** The watchdog of a machine whose Consul agent is away, with the programs that it calls in the place of the real ones. */
import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { repository, run } from './support/handlers.ts'

const directory = mkdtempSync(join(tmpdir(), 'understudy-watchdog-'))
after(() => rmSync(directory, { recursive: true }))
for (const path of ['check', 'keepalived']) mkdirSync(join(directory, path))
const asked = join(directory, 'asked')

interface Machine {
  /** For how long Consul has run no check, in seconds; null: since the boot; none: there is no file. */
  silent: number | 'none' | null
  /** none: there is no file. */
  weight: string
  /** PostgreSQL runs as a primary. */
  primary: boolean
  /** What systemd says of the agent, and since when it runs, in seconds. */
  agent: string
  agentSeconds: number
}

const well: Machine = { silent: 1, weight: '100', primary: true, agent: 'active', agentSeconds: 5000 }

/** Seconds since the boot, as the script and systemd count them. */
const uptime = (): number => Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0])

/** @returns what systemd was asked to do. */
async function watch(
  change: Partial<Machine>,
  { beatsAgain = false, argv = [] as string[] } = {},
): Promise<string[]> {
  const { silent, weight, primary, agent, agentSeconds } = { ...well, ...change }
  const heartbeat = join(directory, 'check/heartbeat')
  if (silent === 'none') rmSync(heartbeat, { force: true })
  else writeFileSync(heartbeat, silent === null ? '' : `${Math.floor(uptime() - silent)}\n`)
  const track = join(directory, 'keepalived/weight')
  if (weight === 'none') rmSync(track, { force: true })
  else writeFileSync(track, `${weight}\n`)
  rmSync(asked, { force: true })
  const since = Math.round((uptime() - agentSeconds) * 1e6)
  const state = `ActiveState=${agent}\\nActiveEnterTimestampMonotonic=${since}\\n`
  const programs = {
    sleep: beatsAgain ? `echo 1 > ${heartbeat}` : ':',
    systemctl: `case $1 in
      show) printf '${state}' ;;
      is-active) [ ${agent} = active ] ;;
      *) echo "$*" >> ${asked} ;;
    esac`,
    pgrep: `exit ${primary ? 0 : 1}`,
  }
  for (const [name, body] of Object.entries(programs)) {
    writeFileSync(join(directory, name), `#!/bin/sh\n${body}\n`)
    chmodSync(join(directory, name), 0o755)
  }
  const script = readFileSync(join(repository, 'packaging/watchdog.sh'), 'utf8')
  const here = script.replaceAll('/run/understudy', directory)
  const env = { PATH: `${directory}:/usr/bin:/bin` }
  const ended = await run('/bin/sh', ['-c', here, 'watchdog', ...argv], { env })
  assert.deepEqual([ended.exitCode, ended.stdout, ended.stderr], [0, '', ''])
  return existsSync(asked) ? readFileSync(asked, 'utf8').trim().split('\n') : []
}

const FENCE = 'start --no-block understudy-fence.service'
const KILL = 'kill --kill-whom=main --signal=KILL consul.service'
const WITHDRAW = 'start --no-block understudy-withdraw.service'

type Case = readonly [caption: string, change: Partial<Machine>, asked: string[]]

const cases: readonly Case[] = [
  ['all is well', {}, []],
  ['since the boot Consul has run no check', { silent: null }, []],
  ['there is no heartbeat', { silent: 'none' }, []],
  ['an agent is started again: its checks pause for some seconds', { silent: 8 }, []],
  ['the agent of a primary is away', { silent: 11 }, [FENCE]],
  ['a primary that claims no address', { silent: 11, weight: '-254' }, [FENCE]],
  ['no primary, but a claim to the address', { silent: 11, primary: false }, [FENCE]],
  ['the agent of a standby is away', { silent: 11, primary: false, weight: '-254' }, []],
  ['fixed placement: a standby', { silent: 11, primary: false, weight: '0' }, []],
  ['the agent hangs', { silent: 61 }, [FENCE, KILL]],
  ['the agent of a standby hangs', { silent: 61, primary: false, weight: '-254' }, [KILL]],
  ['the agent has been stopped', { silent: 61, agent: 'inactive' }, [FENCE]],
  ['the agent has just been started', { silent: 61, agentSeconds: 50 }, [FENCE]],
]

const both: Partial<Machine> = { primary: false, agent: 'deactivating' }

const stops: readonly Case[] = [
  ['both, and the machine claims the address', both, [WITHDRAW]],
  ['both, and the agent is about to be started again', { ...both, agent: 'activating' }, [WITHDRAW]],
  ['both, and the agent has failed', { ...both, agent: 'failed' }, [WITHDRAW]],
  ['both, of a standby', { ...both, weight: '-254' }, []],
  ['both, and priority places the address', { ...both, weight: '0' }, []],
  ['both, and the cluster has no virtual IP', { ...both, weight: 'none' }, []],
  ['the agent of a primary', { agent: 'deactivating' }, []],
  ['PostgreSQL alone', { primary: false }, []],
]

describe('watchdog', () => {
  for (const [caption, change, expected] of stops)
    test(`stopped: ${caption}`, async () =>
      assert.deepEqual(await watch(change, { argv: ['stopped'] }), expected))

  for (const [caption, change, expected] of cases) {
    test(caption, async () => assert.deepEqual(await watch(change), expected))
  }

  test('the machine as a whole was frozen: the agent runs its checks again', async () => {
    assert.deepEqual(await watch({ silent: 61 }, { beatsAgain: true }), [FENCE])
  })
})
