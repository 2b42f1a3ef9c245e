/** Replicated files: they are on every machine, a confirmed upload stays, and nothing is lost by a cut, a crash or a mistake. */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { after, afterEach, before, describe, test } from 'node:test'
import { UNKNOWN } from '../../lib/core/unknown.ts'
import { waitFor } from '../../lib/core/wait.ts'
import { join, mustJoin, packageFile, statusFrom, untilHealthy } from './lib/cluster.ts'
import { files, put, RESOURCES, textOf, untilCheckSays, untilInSync } from './lib/files.ts'
import { upJoined } from './lib/joined.ts'
import { Lab } from './lib/lab.ts'
import { putRight } from './lib/restore.ts'

const name = 'files'
const all = ['n1', 'n2', 'n3']
/** A service with other numbers on every machine, as packages make its user. */
const SHARED = '/srv/shared'
let lab: Lab

const sh = async (machine: string, script: string): Promise<string> =>
  (await lab.exec(machine, ['sh', '-euc', script], { timeoutMs: 120_000 })).stdout.trim()

const folders = (machine: string, ...args: string[]) =>
  lab.exec(machine, ['understudy', 'folders', ...args], { reject: false, timeoutMs: 60_000 })

before(async () => {
  lab = await upJoined({ name, log: console.log })
})
// One that fails halfway must not take the others with it.
afterEach(() => putRight(lab, console.error))
after(() => Lab.remove(name))

/** A replicated folder of a service that has other numbers on every machine. Made by the first test that needs it. */
async function ensureShared(): Promise<void> {
  const { stdout } = await folders('n2', 'list', '--json')
  const { folders: known } = JSON.parse(stdout) as { folders: { path: string }[] }
  if (known.some(({ path }) => path === SHARED)) return
  for (const [index, machine] of all.entries())
    await sh(machine, `id service >/dev/null 2>&1 || useradd --uid 300${index + 1} service`)
  await sh('n2', `install -d -o service -g service -m 770 ${SHARED}`)
  const { exitCode, stderr } = await folders('n2', 'add', SHARED, '--ignore', '*.part')
  assert.equal(exitCode, 0, stderr)
  await put(lab, 'n2', `${SHARED}/first`, 'first\n', ['--min-copies', 'all'])
}

/** A fourth machine, which joins with a file of its own. Made by the first test that needs it. */
async function ensureJoiner(): Promise<string> {
  const known = lab.machines.find(({ name: machine }) => !all.includes(machine))
  if (known !== undefined) return known.name
  const { name: joiner } = await lab.add()
  await lab.installPackage(packageFile())
  await sh(joiner, `useradd --uid 3004 service; mkdir -p ${RESOURCES}; echo own > ${RESOURCES}/own`)
  return joiner
}

test('every machine has the default folders, and its Syncthing talks to the members and to nobody else', async () => {
  for (const machine of all) {
    assert.equal(
      await sh(machine, `stat -c '%n %U:%G %a' ${RESOURCES} /opt/mgmtworker/env/plugins`),
      `${RESOURCES} root:root 755\n/opt/mgmtworker/env/plugins root:root 755`,
    )
    const address = lab.machines.find((one) => one.name === machine)?.address
    const listens = await sh(machine, `ss -Hlntup | grep syncthing | awk '{ print $1, $5 }' | sort`)
    assert.equal(listens, `tcp ${address}:22000\ntcp 127.0.0.1:8384`)
    const log = await sh(machine, 'journalctl --no-pager -u understudy-syncthing -o cat')
    assert.doesNotMatch(log, /relay|discovery|NAT|STUN|quic/i)
    const status = await sh(
      machine,
      'systemctl show -P User understudy-syncthing; stat -c %a /var/lib/understudy/syncthing',
    )
    assert.equal(status, 'understudy-syncthing\n700')
  }
})

test('a folder that is added on one machine is made on the others, with its owner by name and its mode', async () => {
  await sh('n1', 'useradd --uid 3001 service')
  await sh('n2', `useradd --uid 3002 service; install -d -o service -g service -m 770 ${SHARED}`)
  const { exitCode, stderr } = await folders('n2', 'add', SHARED, '--ignore', '*.part')
  assert.equal(exitCode, 0, stderr)
  // n3 lacks the user: it says so, and takes part as soon as there is one.
  await untilCheckSays(lab, 'n3', /the user service or the group service does not exist here/, 'n1')
  await sh('n3', 'useradd --uid 3003 service')
  for (const machine of ['n1', 'n3']) {
    await waitFor(`${machine} has the folder`, 60_000, async () => {
      return (await sh(machine, `stat -c '%U:%G %a' ${SHARED} || true`)) === 'service:service 770' || null
    })
  }
  await untilHealthy(lab, 'n1')
  await sh('n2', `echo half > ${SHARED}/x.part`)
  await put(lab, 'n2', `${SHARED}/first`, 'first\n', ['--min-copies', 'all'])
  for (const machine of all)
    assert.equal(await sh(machine, `stat -c %U:%G ${SHARED}/first`), 'service:service')
  assert.equal(await textOf(lab, 'n1', `${SHARED}/x.part`), null)
})

const makeDisk = (path: string, options: string): string =>
  `mkdir ${path}; mount -t tmpfs -o ${options} tmpfs ${path}`
const removeDisk = (path: string): string => `umount ${path}; rmdir ${path}`

describe('what cannot be a folder is refused with one sentence, and nothing is changed', () => {
  before(ensureShared)
  const cases: [args: string[], exitCode: number, says: RegExp, prepare?: string, undo?: string][] = [
    [['add'], 64, /folders add PATH/],
    [['add', '/srv/nowhere'], 64, /there is no directory \/srv\/nowhere/],
    [['add', '/etc/hostname'], 64, /path of the system/],
    [['add', '/'], 64, /path of the system/],
    [['add', '/var'], 64, /path of the system/],
    [['add', 'srv'], 64, /not an absolute path/],
    [['add', '/srv/file'], 64, /is not a directory/, 'touch /srv/file', 'rm /srv/file'],
    [
      ['add', '/srv/link'],
      64,
      /is a link to \/srv\/shared; name/,
      `ln -s ${SHARED} /srv/link`,
      'rm /srv/link',
    ],
    [
      ['add', `${SHARED}/inside`],
      64,
      /is inside \/srv\/shared/,
      `mkdir ${SHARED}/inside`,
      `rmdir ${SHARED}/inside`,
    ],
    [['add', '/opt/manager'], 64, /contains \/opt\/manager\/resources/],
    [
      ['add', '/srv/new', '--label', 'resources'],
      64,
      /label resources is taken/,
      'mkdir /srv/new',
      'rmdir /srv/new',
    ],
    [['add', '/srv/new', '--ignore', '#include /etc/x'], 64, /cannot begin with "#"/],
    [['remove', 'nothing'], 64, /there is no folder nothing; the folders are: plugins, resources, shared/],
    [['add', '/srv/ro'], 78, /cannot be written/, makeDisk('/srv/ro', 'ro'), removeDisk('/srv/ro')],
    [
      ['add', '/srv/full'],
      78,
      /disk of \/srv\/full is full/,
      `${makeDisk('/srv/full', 'size=1m')}; dd if=/dev/zero of=/srv/full/x bs=4k count=255 status=none`,
      removeDisk('/srv/full'),
    ],
  ]
  for (const [args, exitCode, says, prepare = 'true', undo = 'true'] of cases) {
    test(args.join(' '), async () => {
      const document = () => sh('n1', 'curl -s http://127.0.0.1:8500/v1/kv/understudy/syncthing/folders?raw')
      const before = await document()
      await sh('n1', prepare)
      const result = await folders('n1', ...args)
      await sh('n1', undo)
      assert.equal(result.exitCode, exitCode, result.stderr)
      assert.match(result.stderr, says)
      assert.equal(result.stderr.trim().split('\n').length, 1, result.stderr)
      assert.equal(await document(), before)
    })
  }
})

/** Every file of a folder that is replicated, with what is in it, its owner and its mode; one line each. */
async function fingerprint(machine: string, path: string): Promise<string[]> {
  const hashes = `find . -type f -not -path './.st*' -not -name '*.part' -print0 | sort -z | xargs -0 sha256sum`
  const owners = `find . -not -path './.st*' -not -name '*.part' -printf '%p %u:%g %m\\n' | sort`
  return (await sh(machine, `cd ${path}; ${hashes}; ${owners}`)).split('\n')
}

test('1,000 small files and one of 500 MB are on the other machines, byte for byte, with owner and mode', async () => {
  await ensureShared()
  await sh(
    'n2',
    `cd ${SHARED}; mkdir many; chmod 750 many; i=0
     while [ $i -lt 1000 ]; do i=$((i + 1)); head -c $((i * 7)) /dev/urandom > many/$i; done
     chmod 600 many/1; chmod 755 many/2; chown -R service:service many
     head -c 500000000 /dev/urandom > /var/tmp/big; chmod 640 /var/tmp/big`,
  )
  const { exitCode, stderr } = await files(lab, 'n2', [
    ...['put', '/var/tmp/big', SHARED, '--min-copies', 'all', '--timeout', '240'],
  ])
  assert.equal(exitCode, 0, stderr)
  const waited = await files(lab, 'n2', [
    'wait',
    '--folder',
    'shared',
    '--min-copies',
    'all',
    '--timeout',
    '240',
  ])
  assert.equal(waited.exitCode, 0, waited.stderr)
  const original = await fingerprint('n2', `${SHARED}/many`)
  assert.equal(original.length, 2001)
  const big = await sh('n2', `cd ${SHARED}; sha256sum big; stat -c '%U:%G %a' big`)
  assert.match(big, /service:service 640$/)
  for (const machine of ['n1', 'n3']) {
    assert.deepEqual(await fingerprint(machine, `${SHARED}/many`), original)
    assert.equal(await sh(machine, `cd ${SHARED}; sha256sum big; stat -c '%U:%G %a' big`), big)
  }
})

test('a file of 1 MB is confirmed in less than 3 s (median of ten)', async (context) => {
  await ensureShared()
  const times: number[] = []
  for (let number = 0; number < 10; number++) {
    await sh('n2', 'head -c 1000000 /dev/urandom > /var/tmp/one')
    const started = performance.now()
    const { exitCode, stderr } = await files(lab, 'n2', [
      'put',
      '/var/tmp/one',
      `${SHARED}/one-${number}`,
      '--min-copies',
      'all',
    ])
    times.push(performance.now() - started)
    assert.equal(exitCode, 0, stderr)
  }
  const median = times.sort((one, other) => one - other)[5] ?? Number.NaN
  context.diagnostic(`median ${Math.round(median)} ms`)
  assert.ok(median < 3000, `${Math.round(median)} ms`)
})

test('a member with files of its own where a folder is added elsewhere keeps them, until it is said that they may be merged', async () => {
  await sh('n3', 'mkdir /srv/own; echo three > /srv/own/three')
  await sh('n1', 'mkdir /srv/own; echo one > /srv/own/one')
  const added = await folders('n1', 'add', '/srv/own')
  assert.equal(added.exitCode, 0, added.stderr)
  assert.match(added.stdout, /n3 does not share it yet/)
  await untilCheckSays(lab, 'n3', /\/srv\/own holds files of this machine \(1 entry, such as three\)/)
  await waitFor('n2 has it', 30_000, async () => (await textOf(lab, 'n2', '/srv/own/one')) ?? null)
  // Nor by adding it there once more.
  assert.equal((await folders('n3', 'add', '/srv/own')).exitCode, 1)
  assert.deepEqual(
    [await textOf(lab, 'n3', '/srv/own/one'), await textOf(lab, 'n1', '/srv/own/three')],
    [null, null],
  )
  assert.equal((await folders('n1', 'add', '/srv/own', '--merge-files')).exitCode, 0)
  for (const machine of all) {
    await waitFor(`${machine} has both`, 60_000, async () => {
      const found = [await textOf(lab, machine, '/srv/own/one'), await textOf(lab, machine, '/srv/own/three')]
      return found.join() === 'one,three' || null
    })
  }
  assert.equal((await folders('n2', 'remove', 'own')).exitCode, 0)
})

describe('understudy files: bad input is refused with one sentence, and nothing is written', () => {
  before(ensureShared)
  const cases: [args: string[], says: RegExp][] = [
    [[], /run understudy files wait or put$|run understudy files wait or put;/],
    [['put', '/etc/hostname'], /SOURCE DEST/],
    [['put', '/nowhere', SHARED], /there is no file \/nowhere/],
    [['put', '/etc', SHARED], /is not a file/],
    [['put', '/etc/hostname', '/srv'], /not in a replicated folder/],
    [['put', '/etc/hostname', `${SHARED}/a/b`], /there is no directory/],
    [['put', '/etc/hostname', `${SHARED}/../x`], /not in a replicated folder/],
    [['put', '/etc/hostname', SHARED, '--min-copies', '3'], /there are 2 other machines/],
    [['put', '/etc/hostname', SHARED, '--min-copies', 'some'], /a number, all or majority/],
    [['put', '/etc/hostname', SHARED, '--timeout', '0'], /--timeout/],
    [['wait', '--folder', 'nothing'], /there is no folder nothing/],
    [['wait', '--path', `${SHARED}/nothing`], /is not replicated/],
    [['wait', '--path', '/etc/hostname'], /not in a replicated folder/],
    [['wait', '--path', `${SHARED}/../shared2`], /\/srv\/shared2 is not in a replicated folder/],
    [['wait', '--folder', 'shared', '--path', '../x'], /\/srv\/x is not in the folder shared/],
  ]
  for (const [args, says] of cases) {
    test(args.join(' ') || 'nothing', async () => {
      const { exitCode, stdout, stderr } = await files(lab, 'n1', args)
      assert.deepEqual([exitCode, stdout], [64, ''], stderr)
      assert.match(stderr, says)
      assert.equal(await textOf(lab, 'n1', `${SHARED}/hostname`), null)
    })
  }
})

test('nobody gets at the API of Syncthing without its key', async () => {
  // A browser's way: the page sets a cookie, which is enough where there is no password.
  const script = `jar=$(mktemp); curl -s -o /dev/null -c $jar http://127.0.0.1:8384/
    header=$(awk '/CSRF-Token/ { print "X-" $6 ": " $7 }' $jar)
    curl -s -o /dev/null -w '%{http_code}' -b $jar -H "$header" http://127.0.0.1:8384/rest/config/folders`
  const { stdout } = await lab.exec('n1', ['runuser', '-u', 'nobody', '--', 'sh', '-c', script])
  assert.match(stdout, /^40[13]$/)
  assert.equal(
    await sh('n1', 'runuser -u nobody -- cat /etc/understudy/syncthing.key 2>&1 || true'),
    'cat: /etc/understudy/syncthing.key: Permission denied',
  )
})

test('who may: a user of the group understudy-files, and no other', async () => {
  await ensureShared()
  const as = (...groups: string[]) =>
    lab.exec(
      'n1',
      [
        'runuser',
        '-u',
        'service',
        ...groups,
        '--',
        'understudy',
        'files',
        'put',
        '-',
        `${SHARED}/as-service`,
      ],
      {
        ...{ reject: false, input: 'x' },
      },
    )
  const stranger = await as()
  assert.equal(stranger.exitCode, 78)
  assert.match(stranger.stderr, /needs root, or a user of the group understudy-files/)
  const member = await as('-g', 'service', '-G', 'understudy-files')
  assert.equal(member.exitCode, 0, member.stderr)
})

test('with one machine off a majority is confirmed, and all is not, with its name', async () => {
  await ensureShared()
  await lab.poweroff('n3')
  await put(lab, 'n2', `${SHARED}/while-off`, 'x')
  const { exitCode, stderr } = await files(
    lab,
    'n2',
    ['put', '-', `${SHARED}/while-off`, '--min-copies', 'all', '--timeout', '3'],
    'y',
  )
  assert.equal(exitCode, 75)
  assert.match(stderr, /not confirmed after 3 s, 1 of 2 copies: n3 .*shared\/while-off/)
  await lab.poweron('n3')
  await untilInSync(lab, all)
  assert.equal(await textOf(lab, 'n3', `${SHARED}/while-off`), 'y')
})

test('a power cut right after a confirmed put: the files are on the others', async () => {
  await ensureShared()
  for (let number = 0; number < 5; number++)
    await put(lab, 'n2', `${SHARED}/kept-${number}`, `kept ${number}`, ['--min-copies', 'all'])
  await lab.poweroff('n2')
  for (const machine of ['n1', 'n3'])
    for (let number = 0; number < 5; number++)
      assert.equal(await textOf(lab, machine, `${SHARED}/kept-${number}`), `kept ${number}`)
  await lab.poweron('n2')
  await untilInSync(lab, all)
})

test('a power cut before the confirmation: the command had not reported success', async () => {
  await ensureShared()
  await lab.cut('n2')
  const [program = '', ...args] = lab.execCommand('n2', [
    'understudy',
    'files',
    'put',
    '/etc/hostname',
    `${SHARED}/unconfirmed`,
  ])
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  child.stdout.on('data', (chunk) => {
    said += chunk
  })
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)))
  await waitFor(
    'it is written',
    20_000,
    async () => (await textOf(lab, 'n2', `${SHARED}/unconfirmed`)) !== null || null,
  )
  await lab.poweroff('n2')
  assert.notEqual(await ended, 0)
  assert.equal(said, '')
  assert.equal(await textOf(lab, 'n1', `${SHARED}/unconfirmed`), null)
  // What was written is not lost: it follows when the machine is back.
  await lab.poweron('n2')
  await untilInSync(lab, all)
  assert.equal(await textOf(lab, 'n1', `${SHARED}/unconfirmed`), 'n2')
  await untilHealthy(lab, 'n1')
})

test('a partition with writes on both sides heals without a lost version', async () => {
  await ensureShared()
  await put(lab, 'n1', `${SHARED}/both`, 'before\n', ['--min-copies', 'all'])
  await lab.cut('n1')
  await sh('n1', `cd ${SHARED}; echo one > both; echo one > only-one; chown service:service both only-one`)
  await put(lab, 'n2', `${SHARED}/both`, 'two\n')
  await put(lab, 'n2', `${SHARED}/only-two`, 'two\n')
  await lab.heal('n1')
  await untilInSync(lab, all)
  for (const machine of all) {
    const texts = await waitFor(`${machine} has both versions`, 60_000, async () => {
      const found = (
        await sh(machine, `cd ${SHARED}; cat both both.sync-conflict-* 2>/dev/null | sort || true`)
      ).split('\n')
      return found.length === 2 ? found : null
    })
    assert.deepEqual(texts, ['one', 'two'])
    assert.equal(await textOf(lab, machine, `${SHARED}/only-one`), 'one')
    assert.equal(await textOf(lab, machine, `${SHARED}/only-two`), 'two')
  }
  // A person is told, and decides.
  for (const machine of all) await untilCheckSays(lab, machine, /the folder shared has 1 conflict file$/)
  const status = await statusFrom(lab, 'n1')
  const { folders: seen } = status
  assert.ok(seen !== null && seen !== UNKNOWN)
  assert.equal(seen.find(({ label }) => label === 'shared')?.conflicts, 1)
  await sh('n3', `rm ${SHARED}/both.sync-conflict-*`)
  for (const machine of all) await untilCheckSays(lab, machine, null)
})

test('what is deleted while a machine is away is deleted there too; what was changed there meanwhile stays', async () => {
  await ensureShared()
  for (const file of ['deleted', 'changed'])
    await put(lab, 'n1', `${SHARED}/${file}`, 'old', ['--min-copies', 'all'])
  await lab.cut('n3')
  await sh('n1', `rm ${SHARED}/deleted ${SHARED}/changed`)
  const { exitCode, stderr } = await files(lab, 'n1', ['wait', '--path', `${SHARED}/deleted`])
  assert.equal(exitCode, 0, stderr)
  await sh('n3', `echo new > ${SHARED}/changed; chown service:service ${SHARED}/changed`)
  await lab.heal('n3')
  await untilInSync(lab, all)
  for (const machine of all) {
    assert.equal(await textOf(lab, machine, `${SHARED}/deleted`), null)
    assert.equal(await textOf(lab, machine, `${SHARED}/changed`), 'new')
  }
})

test('an emptied disk stops the folder on its machine, and deletes nothing on the others', async () => {
  await ensureShared()
  const before = await fingerprint('n1', SHARED)
  await sh('n3', `mount -t tmpfs tmpfs ${SHARED}`)
  await untilCheckSays(lab, 'n3', /the folder shared is stopped: folder marker missing/, 'n1')
  const { exitCode, stderr } = await files(lab, 'n3', ['put', '/etc/hostname', `${SHARED}/lost`])
  assert.equal(exitCode, 69)
  assert.match(stderr, /the folder shared is stopped on this machine: folder marker missing/)
  // Nor does a restart, or a change of the configuration, take it for an empty folder.
  await sh('n3', 'systemctl restart understudy-syncthing')
  await sh('n2', `understudy folders add ${SHARED} --ignore '*.part' --versioning`)
  await put(lab, 'n2', `${SHARED}/meanwhile`, 'x')
  assert.equal(await sh('n3', `ls -A ${SHARED}`), '')
  await sh('n3', `umount ${SHARED}`)
  await untilCheckSays(lab, 'n3', null, 'n1')
  await untilInSync(lab, all)
  await sh('n1', `rm ${SHARED}/meanwhile`)
  await untilInSync(lab, all)
  for (const machine of all) assert.deepEqual(await fingerprint(machine, SHARED), before)
  // Versions are kept now.
  assert.match(await sh('n3', `ls ${SHARED}/.stversions`), /^meanwhile~/)
})

test('documents that are malformed, or claim the device of another machine, are named; all else goes on', async () => {
  await ensureShared()
  const key = 'understudy/syncthing/nodes'
  await sh('n1', `consul kv put ${key}/n9 nonsense; consul kv get ${key}/n2 | consul kv put ${key}/n8 -`)
  await untilCheckSays(
    lab,
    'n1',
    /syncthing\/nodes\/n9 is malformed; n2 and n8 have published the same Syncthing device/,
  )
  await sh('n1', `consul kv delete ${key}/n9; consul kv delete ${key}/n8`)
  for (const machine of all) await untilCheckSays(lab, machine, null)
  await sh(
    'n1',
    `consul kv get understudy/syncthing/folders | jq -c '.folders.odd = {}' | consul kv put understudy/syncthing/folders -`,
  )
  await untilCheckSays(lab, 'n1', /the folder odd in syncthing\/folders is malformed/)
  await put(lab, 'n1', `${SHARED}/still`, 'going on', ['--min-copies', 'all'])
  await put(lab, 'n2', `${SHARED}/still`, 'really', ['--min-copies', 'all'])
  await sh('n1', 'understudy folders remove odd')
  // A lost document gives no folder up.
  const document = await sh('n1', 'consul kv get understudy/syncthing/folders')
  await sh('n1', 'consul kv delete understudy/syncthing/folders')
  await untilCheckSays(lab, 'n1', /syncthing\/folders is missing/)
  await put(lab, 'n1', `${SHARED}/still`, 'without a list', ['--min-copies', 'all'])
  await lab.exec('n1', ['consul', 'kv', 'put', 'understudy/syncthing/folders', '-'], { input: document })
  for (const machine of all) await untilCheckSays(lab, machine, null)
})

test('Syncthing that is away, or does not take our key, is said in one sentence', async () => {
  await ensureShared()
  await sh('n1', 'systemctl stop understudy-syncthing')
  const stopped = await files(lab, 'n1', ['wait'])
  assert.equal(stopped.exitCode, 69)
  assert.match(stopped.stderr, /Syncthing does not answer/)
  await untilCheckSays(lab, 'n1', /understudy-syncthing.service|Syncthing does not answer/)
  // One that starts slowly is waited for.
  await sh('n1', '(sleep 4; systemctl start understudy-syncthing) & systemctl start understudy-files')
  await sh('n1', 'echo wrong > /etc/understudy/syncthing.key')
  const wrong = await waitFor('it starts', 30_000, async () => {
    const result = await files(lab, 'n1', ['wait'])
    return result.exitCode === 69 ? null : result
  })
  assert.equal(wrong.exitCode, 78)
  assert.match(wrong.stderr, /rejects the key in \/etc\/understudy\/syncthing.key; run understudy join again/)
  await mustJoin(lab, 'n1', 'n2')
  await put(lab, 'n1', `${SHARED}/again`, 'x', ['--min-copies', 'all'])
})

test('a joiner with files of its own is told so first; then it joins and gets everything', async () => {
  await ensureShared()
  const joiner = await ensureJoiner()
  const refused = await join(lab, joiner, 'n1')
  assert.equal(refused.exitCode, 78, refused.stderr)
  assert.match(
    refused.stderr,
    /\/opt\/manager\/resources holds files of this machine \(1 entry, such as own\), which would be merged/,
  )
  assert.equal(await textOf(lab, 'n1', `${RESOURCES}/own`), null)
  await mustJoin(lab, joiner, 'n1', ['--merge-files'])
  const four = [...all, joiner]
  await untilInSync(lab, four)
  for (const machine of four) assert.equal(await textOf(lab, machine, `${RESOURCES}/own`), 'own')
  assert.deepEqual(await fingerprint(joiner, SHARED), await fingerprint('n1', SHARED))
  await untilHealthy(lab, joiner)
})

test('a machine whose entry is removed is forgotten by the others', async () => {
  const joiner = await ensureJoiner()
  await mustJoin(lab, joiner, 'n1', ['--merge-files'])
  await untilInSync(lab, [...all, joiner])
  await sh('n1', `consul kv delete understudy/syncthing/nodes/${joiner}`)
  for (const machine of all) {
    await waitFor(`${machine} has forgotten n4`, 60_000, async () => {
      const { stdout } = await lab.exec(machine, ['understudy', 'folders', 'list', '--json'])
      const { folders: seen } = JSON.parse(stdout) as { folders: { machines: Record<string, unknown> }[] }
      return seen.every(({ machines }) => !('n4' in machines)) || null
    })
  }
  // It keeps what it has, and says what is to be done.
  await untilCheckSays(lab, 'n4', /syncthing\/nodes\/n4 is missing; run understudy join again/)
  assert.equal(await textOf(lab, 'n4', `${RESOURCES}/own`), 'own')
})

test('a folder that is removed is no longer replicated; its files stay', async () => {
  await ensureShared()
  const { exitCode, stdout } = await folders('n3', 'remove', SHARED)
  assert.deepEqual([exitCode, stdout], [0, 'shared is no longer replicated; its files stay on every machine'])
  await waitFor('n1 no longer shares it', 30_000, async () => {
    const { stderr } = await files(lab, 'n1', ['wait', '--folder', 'shared'])
    return /there is no folder shared/.test(stderr) || null
  })
  assert.equal(await textOf(lab, 'n1', `${SHARED}/first`), 'first')
})
