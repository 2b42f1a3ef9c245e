/** Odd things in and around replicated folders: nothing is lost, nothing is confirmed that is not there, and all is named. */

import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { waitFor } from '../../lib/core/wait.ts'
import { join, packageFile } from './lib/cluster.ts'
import { files, put, RESOURCES, textOf, untilCheckSays, untilInSync } from './lib/files.ts'
import { upJoined } from './lib/joined.ts'
import { Lab } from './lib/lab.ts'
import { putRight } from './lib/restore.ts'

const name = 'odd-files'
const both = ['n1', 'n2']
const ARCHIVE = `${RESOURCES}/archive`
let lab: Lab

const sh = async (machine: string, script: string): Promise<string> =>
  (await lab.exec(machine, ['sh', '-euc', script], { timeoutMs: 120_000 })).stdout.trim()
const inArchive = (machine: string): Promise<string> => sh(machine, `ls -A ${ARCHIVE} | xargs`)
const isPaused = (machine: string): Promise<string> =>
  sh(
    machine,
    `curl -s -H "X-API-Key: $(cat /etc/understudy/syncthing.key)" localhost:8384/rest/config/folders | jq '.[] | select(.label == "resources").paused'`,
  )

/** All that the check `files` of a machine says: the status shows the beginning. */
const checkOutput = (machine: string): Promise<string> =>
  sh(
    'n1',
    `curl -s localhost:8500/v1/health/node/${machine} | jq -r '.[] | select(.CheckID == "files").Output'`,
  )

before(async () => {
  lab = await upJoined({ name, machines: 2, log: console.log })
})
afterEach(() => putRight(lab, console.error))
after(() => Lab.remove(name))

test('a disk that is mounted inside a folder, and missing at the next start, deletes nothing on the other machine', async () => {
  await sh('n1', `mkdir ${ARCHIVE}; for i in 1 2 3; do echo $i > ${ARCHIVE}/$i; done`)
  await untilInSync(lab, both)
  // Mounted over files that are replicated, as where a disk is added; also a bind mount of the same file system, deeper.
  await sh('n1', `mount -t tmpfs tmpfs ${ARCHIVE}; echo own > ${ARCHIVE}/own`)
  await sh('n1', `mkdir -p /srv/other ${ARCHIVE}/a/b; mount --bind /srv/other ${ARCHIVE}/a/b`)
  // Before anything is scanned, whoever asks.
  const refused = await files(lab, 'n1', ['wait', '--folder', 'resources', '--min-copies', 'all'])
  assert.equal(refused.exitCode, 69, refused.stdout)
  assert.match(
    refused.stderr,
    /the folder resources is stopped, because \/opt\/manager\/resources\/archive is mounted/,
  )
  assert.equal((await files(lab, 'n1', ['put', '/etc/hostname', `${ARCHIVE}/x`])).exitCode, 69)
  await untilCheckSays(
    lab,
    'n1',
    /archive is mounted inside it and what is mounted is not replicated; unmount it/,
  )
  assert.equal(await isPaused('n1'), 'true')
  assert.equal(await inArchive('n2'), '1 2 3')
  // It is not confirmed by a machine that does not take part; the others go on.
  await sh('n2', `echo new > ${RESOURCES}/new`)
  const all = await files(lab, 'n2', ['wait', '--min-copies', 'all', '--timeout', '4'])
  assert.equal(all.exitCode, 75, all.stdout)
  await put(lab, 'n1', '/opt/mgmtworker/env/plugins/other', 'goes on', ['--min-copies', 'all'])

  await sh('n1', `systemctl restart understudy-syncthing; umount ${ARCHIVE}/a/b ${ARCHIVE}`)
  // What was hidden is there: it goes on.
  await untilCheckSays(lab, 'n1', null)
  await untilInSync(lab, both)
  for (const machine of both) assert.equal(await inArchive(machine), '1 2 3')
  assert.equal(await textOf(lab, 'n1', `${RESOURCES}/new`), 'new')
})

test('a disk whose files Syncthing has seen, and that is missing at the boot: the folder stands still until somebody decides', async () => {
  // As an earlier version of understudy has replicated it, with Syncthing in the machine's mount namespace.
  await sh(
    'n1',
    `mkdir -p ${ARCHIVE} /run/systemd/system/understudy-syncthing.service.d; systemctl stop understudy-syncthing
    printf '%s\\n' '[Service]' MountFlags=slave ExecStart= \
      'ExecStart=/usr/bin/syncthing serve --home=/var/lib/understudy/syncthing --no-browser --no-restart' \
      > /run/systemd/system/understudy-syncthing.service.d/earlier.conf
    systemctl daemon-reload; systemctl start understudy-syncthing; rm /run/understudy/files/view`,
  )
  await untilInSync(lab, both)
  await sh('n1', `rm -f ${ARCHIVE}/*; mkdir -p /srv/disk; for i in 1 2 3; do echo $i > /srv/disk/$i; done`)
  await sh(
    'n1',
    `mount --bind /srv/disk ${ARCHIVE}; curl -s -X POST -H "X-API-Key: $(cat /etc/understudy/syncthing.key)" \
    "localhost:8384/rest/db/scan?folder=$(consul kv get understudy/syncthing/folders | jq -r .folders.resources.id)"`,
  )
  await waitFor(
    'n2 has the files of the disk',
    20_000,
    async () => (await inArchive('n2')) === '1 2 3' || null,
  )
  await untilCheckSays(lab, 'n1', /archive is mounted inside it/)
  await lab.poweroff('n1')
  await lab.poweron('n1')
  await untilCheckSays(
    lab,
    'n1',
    /the file system at .*archive inside it is gone and an empty directory is in its place/,
  )
  await sh('n1', 'systemctl restart understudy-syncthing; systemctl start understudy-files')
  assert.equal(await isPaused('n1'), 'true')
  assert.equal(await inArchive('n2'), '1 2 3')
  await sh('n1', `cp /srv/disk/* ${ARCHIVE}`)
  await untilCheckSays(lab, 'n1', null)
  await untilInSync(lab, both)
  for (const machine of both) assert.equal(await inArchive(machine), '1 2 3')
})

test('a disk that is mounted while Syncthing is off: the folder is stopped before anything is scanned', async () => {
  await sh('n1', `mkdir -p ${ARCHIVE}; echo kept > ${ARCHIVE}/kept`)
  await untilInSync(lab, both)
  await sh(
    'n1',
    `systemctl stop understudy-syncthing; mount -t tmpfs tmpfs ${ARCHIVE}; systemctl start understudy-syncthing`,
  )
  await waitFor('Syncthing answers', 30_000, async () => (await isPaused('n1')) === 'true' || null)
  assert.equal(await textOf(lab, 'n2', `${ARCHIVE}/kept`), 'kept')
  await sh('n1', `umount ${ARCHIVE}`)
  await untilCheckSays(lab, 'n1', null)
  await untilInSync(lab, both)
  assert.equal(await textOf(lab, 'n2', `${ARCHIVE}/kept`), 'kept')
})

test('a directory in which something is mounted cannot become a folder, and a machine that has one cannot join', async () => {
  await sh('n1', 'mkdir -p /srv/mounted/deep/er; mount -t tmpfs tmpfs /srv/mounted/deep/er')
  const added = await lab.exec('n1', ['understudy', 'folders', 'add', '/srv/mounted'], { reject: false })
  await sh('n1', 'umount /srv/mounted/deep/er')
  assert.equal(added.exitCode, 78, added.stdout)
  assert.match(
    added.stderr,
    /^understudy folders: \/srv\/mounted\/deep\/er is mounted inside \/srv\/mounted, .*$/m,
  )
  const { name: joiner } = await lab.add()
  await lab.installPackage(packageFile())
  await sh(joiner, `mkdir -p ${RESOURCES}/d; mount -t tmpfs tmpfs ${RESOURCES}/d`)
  const refused = await join(lab, joiner, 'n1')
  assert.equal(refused.exitCode, 78, refused.stdout)
  assert.match(refused.stderr, /resources\/d is mounted inside \/opt\/manager\/resources/)
  // Nor may what a clone of a machine has be taken for another machine's.
  await sh(joiner, `umount ${RESOURCES}/d; rmdir ${RESOURCES}/d`)
  await sh('n1', 'tar -C /var/lib/understudy -cf /var/tmp/st.tar syncthing/cert.pem syncthing/key.pem')
  const { stdout: copy } = await lab.exec('n1', ['base64', '-w0', '/var/tmp/st.tar'])
  await lab.exec(joiner, ['sh', '-euc', 'base64 -d | tar -C /var/lib/understudy -xf -'], { input: copy })
  const clone = await join(lab, joiner, 'n1')
  assert.equal(clone.exitCode, 78, clone.stdout)
  assert.match(
    clone.stderr,
    /has the Syncthing identity of n1, as a copy of that machine has; .*run understudy join again/,
  )
})

test('a name in decomposed Unicode stays what its writer chose, is not confirmed, and is named', async () => {
  const nfd = 'Pru\u0308fung.bin'
  await sh(
    'n1',
    `head -c 20000000 /dev/urandom > '${RESOURCES}/${nfd}'; mkdir '${RESOURCES}/Gro\u0308\u00dfe'`,
  )
  for (const args of [
    ['--path', `${RESOURCES}/${nfd}`],
    ['--folder', 'resources'],
  ]) {
    const waited = await files(lab, 'n1', ['wait', ...args, '--min-copies', 'all', '--timeout', '10'])
    assert.notEqual(waited.exitCode, 0, waited.stdout)
    assert.equal(waited.stderr.trim().split('\n').length, 1)
  }
  const refused = await files(lab, 'n1', ['put', '-', `${RESOURCES}/x\u0308-${nfd}`], 'x')
  assert.equal(refused.exitCode, 64)
  assert.match(refused.stderr, /is not in composed Unicode \(NFC\)/)
  await untilCheckSays(
    lab,
    'n1',
    /in the folder resources: .*item is not in the correct UTF8 normalization form/,
  )
  assert.equal(await sh('n1', `cd ${RESOURCES}; ls -d Pr* Gr*`), `Gro\u0308\u00dfe\n${nfd}`)
  await sh('n1', `cd ${RESOURCES}; rm -r Pru* Gro*`)
  await put(lab, 'n1', `${RESOURCES}/Pr\u00fcfung.bin`, 'composed', ['--min-copies', 'all'])
  assert.equal(await textOf(lab, 'n2', `${RESOURCES}/Pr\u00fcfung.bin`), 'composed')
  await untilCheckSays(lab, 'n1', null)
})

test('odd names and kinds of files: they are on the other machine as they are', async () => {
  const long = 'x'.repeat(255)
  await put(lab, 'n1', `${RESOURCES}/new\nline`, 'newline', ['--min-copies', 'all'])
  await put(lab, 'n1', `${RESOURCES}/\u001b[31mred`, 'red', ['--min-copies', 'all'])
  await put(lab, 'n1', `${RESOURCES}/${long}`, 'long', ['--min-copies', 'all'])
  await put(lab, 'n1', `${RESOURCES}/case`, 'case', ['--min-copies', 'all'])
  await sh(
    'n1',
    `cd ${RESOURCES}; mv case CASE; truncate -s 1G sparse; echo end >> sparse; echo one > Two; echo two > two
     ln -s /nowhere dangling; ln -s two link; mkdir d; ln -s d linked; ln link hard`,
  )
  await untilInSync(lab, both)
  const list = `cd ${RESOURCES}; find . -name '.st*' -prune -o -printf '%P %y %s %l\\n' | sort; sha256sum sparse; du -m sparse | cut -f1`
  assert.equal(await sh('n2', list), await sh('n1', list))
  assert.match(await sh('n2', `ls ${RESOURCES}`), /^CASE$/m)
  assert.equal(await textOf(lab, 'n2', `${RESOURCES}/new\nline`), 'newline')
  await sh('n1', `cd ${RESOURCES}; rm -r new* *red ${long} CASE sparse Two two dangling link hard d linked`)
  await untilInSync(lab, both)
})

test('what cannot be replicated is named by the check, on one line, and put and wait refuse it', async () => {
  await sh(
    'n1',
    `cd ${RESOURCES}; mkdir odd; mkfifo odd/pipe; mknod odd/null c 1 3; touch "$(printf 'bad\\377\\nname')"`,
  )
  // Syncthing's watcher passes over a name that is not UTF-8: a scan finds it, the hourly one or this.
  assert.equal((await files(lab, 'n1', ['wait', '--folder', 'resources', '--timeout', '10'])).exitCode, 1)
  await untilCheckSays(lab, 'n1', /in the folder resources: bad.\\nname: .*UTF8/)
  await untilCheckSays(
    lab,
    'n1',
    /the folder resources has 2 sockets, pipes or devices, not replicated: odd\/null/,
  )
  const cases: [args: string[], says: RegExp][] = [
    [['wait', '--path', `${RESOURCES}/odd/pipe`], /is not replicated/],
    [['put', `${RESOURCES}/odd/pipe`, RESOURCES], /is not a file/],
    [['put', '/etc/hostname', `${RESOURCES}/odd/pipe`], /exists already and is not a file/],
    [['put', '/etc/hostname', `${RESOURCES}/${'x'.repeat(256)}`], /at most 255 bytes/],
    [['put', '/etc/hostname', `${RESOURCES}/.stignore`], /Syncthing keeps that name for itself/],
  ]
  for (const [args, says] of cases) {
    const { exitCode, stderr } = await files(lab, 'n1', args)
    assert.equal(exitCode, 64, stderr)
    assert.match(stderr, says)
  }
  const bad = `code=0; understudy files put /etc/hostname "$(printf '${RESOURCES}/z\\377')" 2>/dev/null || code=$?
    echo $code; ls ${RESOURCES} | grep -c ^z || true`
  assert.match(await sh('n1', bad), /^64\n0$/)
  // An ignored one is nobody's matter.
  await sh('n1', `understudy folders add ${RESOURCES} --ignore null --ignore '*pipe'; rm ${RESOURCES}/bad*`)
  // Nor does the watcher see that such a name is gone.
  assert.equal((await files(lab, 'n1', ['wait', '--folder', 'resources'])).exitCode, 0)
  await untilCheckSays(lab, 'n1', null)
  await sh('n1', `understudy folders add ${RESOURCES}; rm -r ${RESOURCES}/odd`)
  await untilCheckSays(lab, 'n1', null)
})

test('an ignored file in a directory that is deleted elsewhere, and a long name that is changed on both sides, are named', async () => {
  const long = `${'y'.repeat(220)}.txt`
  await sh('n1', `understudy folders add ${RESOURCES} --ignore '*.part'`)
  await sh('n1', `cd ${RESOURCES}; mkdir gone; echo a > gone/a; echo 0 > ${long}`)
  await untilInSync(lab, both)
  await lab.cut('n2')
  await sh('n1', `cd ${RESOURCES}; rm -r gone; echo one > ${long}`)
  await sh('n2', `cd ${RESOURCES}; echo half > gone/b.part; echo two, longer > ${long}`)
  await lab.heal('n2')
  await waitFor('both are named', 120_000, async () => {
    const said = (await Promise.all(both.map(checkOutput))).join('\n')
    if (/contains ignored files/.test(said) && /file name too long/.test(said)) return true
    throw new Error(said)
  })
  // Nothing is lost.
  assert.deepEqual(
    [await textOf(lab, 'n1', `${RESOURCES}/${long}`), await textOf(lab, 'n2', `${RESOURCES}/${long}`)],
    ['one', 'two, longer'],
  )
  assert.equal(await textOf(lab, 'n2', `${RESOURCES}/gone/b.part`), 'half')
  await sh('n2', `cd ${RESOURCES}; rm -r gone`)
  await sh('n2', `mv ${RESOURCES}/${long} ${RESOURCES}/short.txt`)
  await untilInSync(lab, both)
  for (const machine of both)
    assert.equal(await textOf(lab, machine, `${RESOURCES}/short.txt`), 'two, longer')
})
