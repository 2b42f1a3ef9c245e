import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { foldersIn, withPaused } from '../../../lib/files/config.ts'
import { isWithin } from '../../../lib/files/decide-folders.ts'
import { decideFilesGate } from '../../../lib/files/decide-gate.ts'
import {
  insideProblem,
  isElsewhere,
  mountedInside,
  mountsIn,
  mountsOn,
} from '../../../lib/files/decide-mounts.ts'
import { decideView } from '../../../lib/files/decide-view.ts'

describe('where file systems are mounted', () => {
  test('a bind mount of the same file system is one, and what the kernel escapes is put back', () => {
    const text = String.raw`22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
90 22 8:1 /var/other /srv/files/bound rw,relatime shared:1 - ext4 /dev/sda1 rw
91 22 0:40 / /srv/files/a\040b\011c\012d\134e rw,relatime - tmpfs tmpfs rw
92 22 0:41 / /srv/files/auto rw,relatime - autofs systemd-1 rw,fd=60
`
    const points = mountsIn(text).map(({ point }) => point)
    assert.deepEqual(points, ['/', '/srv/files/bound', '/srv/files/a b\tc\nd\\e', '/srv/files/auto'])
  })

  const cases: readonly (readonly [caption: string, points: readonly string[], inside: readonly string[]])[] =
    [
      ['nothing', ['/', '/srv', '/boot'], []],
      ['the directory itself: that is what its marker is for', ['/srv/files'], []],
      ['a name that only begins like it', ['/srv/files2', '/srv/files2/a'], []],
      ['a disk', ['/', '/srv/files/a'], ['/srv/files/a']],
      ['several levels deep', ['/srv/files/a/b/c'], ['/srv/files/a/b/c']],
      [
        'one in another',
        ['/srv/files/a/b', '/srv/files/a', '/srv/files/ab'],
        ['/srv/files/a', '/srv/files/ab'],
      ],
      ['one over another', ['/srv/files/a', '/srv/files/a'], ['/srv/files/a']],
      ['old versions on a disk of their own', ['/srv/files/.stversions'], []],
      [
        'the same name deeper is no place of Syncthing',
        ['/srv/files/a/.stversions'],
        ['/srv/files/a/.stversions'],
      ],
    ]
  for (const [caption, points, inside] of cases)
    test(caption, () => assert.deepEqual(mountedInside('/srv/files', points), inside))

  test('every mount point below is within one that is named, and those are not within each other', () => {
    const path = fc
      .array(fc.constantFrom('a', 'b', 'c'), { maxLength: 4 })
      .map((parts) => `/${parts.join('/')}`)
    fc.assert(
      fc.property(path, fc.array(path), (folder, points) => {
        const named = mountedInside(folder, points)
        for (const point of points)
          if (point !== folder && isWithin(point, folder))
            assert.ok(named.some((one) => isWithin(point, one)))
        for (const one of named)
          assert.ok(
            named.every((other) => other === one || !isWithin(one, other)),
            named.join(),
          )
      }),
    )
  })

  test('the sentence names it on one line', () =>
    assert.equal(
      insideProblem('/srv/files', ['/srv/files/a\nb']),
      '/srv/files/a\\nb is mounted inside /srv/files, and what is mounted inside a folder cannot be replicated; unmount it, or mount it elsewhere',
    ))
})

/** As Syncthing 1.19 and 1.29 write it, shortened. */
const folderXml = (id: string, path: string, paused: boolean): string =>
  `    <folder id="${id}" label="${id.slice(0, -2)}" path="${path}" type="sendreceive" autoNormalize="false">
        <filesystemType>basic</filesystemType>
        <device id="NEG3T4V" introducedBy=""></device>
        <paused>${paused}</paused>
        <markerName>.stfolder</markerName>
    </folder>
`
const config = `<configuration version="35">
${folderXml('files-1', '/srv/files', false)}${folderXml('more-1', '/srv/a&amp;b', false)}    <device id="NEG3T4V" name="n1">
        <paused>false</paused>
    </device>
    <defaults>
        <folder id="" label="" path="~" type="sendreceive"><paused>false</paused></folder>
    </defaults>
</configuration>
`

describe("Syncthing's configuration on the disk", () => {
  test('its folders', () =>
    assert.deepEqual(foldersIn(config), [
      { id: 'files-1', label: 'files', path: '/srv/files', paused: false },
      { id: 'more-1', label: 'more', path: '/srv/a&b', paused: false },
    ]))
  test('one is paused, and nothing else is', () => {
    const paused = foldersIn(withPaused(config, ['more-1'])).map((folder) => folder.paused)
    assert.deepEqual(paused, [false, true])
    assert.equal(withPaused(config, ['more-1']).split('<paused>true</paused>').length, 2)
    assert.equal(withPaused(config, []), config)
  })
  test('nor is anything lost where Syncthing has left the element out', () => {
    const without = config.replaceAll('        <paused>false</paused>\n', '')
    assert.deepEqual(
      foldersIn(withPaused(without, ['files-1'])).map(({ paused }) => paused),
      [true, false],
    )
  })
})

describe('before Syncthing starts', () => {
  const mounts = new Map([
    ['/srv/files', { mounted: ['/srv/files/disk'], missing: [] }],
    ['/srv/a&b', { mounted: [], missing: [] }],
  ])
  test('a folder in which something is mounted is paused, and that is remembered', () => {
    const plan = decideFilesGate({ config, mounts, remembered: [] })
    assert.deepEqual([plan.do, plan.remember], ['pause', ['/srv/files/disk']])
    assert.equal(plan.config, withPaused(config, ['files-1']))
  })
  test('so is one in which a disk is missing', () => {
    const missing = new Map([['/srv/files', { mounted: [], missing: ['/srv/files/disk'] }]])
    const plan = decideFilesGate({ config, mounts: missing, remembered: ['/srv/files/disk'] })
    assert.equal(plan.config, withPaused(config, ['files-1']))
    assert.match(plan.why, /gone/)
  })
  test('it is paused already, or nothing is mounted: nothing is done', () => {
    const paused = withPaused(config, ['files-1'])
    assert.equal(decideFilesGate({ config: paused, mounts, remembered: ['/srv/files/disk'] }).do, 'nothing')
    assert.equal(decideFilesGate({ config: '', mounts: new Map(), remembered: [] }).do, 'nothing')
  })
  test('a disk that is back in order is forgotten', () =>
    assert.deepEqual(
      decideFilesGate({ config, mounts: new Map(), remembered: ['/srv/files/disk'] }).remember,
      [],
    ))
})

/** A machine with a disk at /srv, and one in it. */
const MACHINE = `22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
23 22 0:5 / /dev rw - devtmpfs udev rw
24 23 0:20 / /dev/shm rw - tmpfs tmpfs rw
25 22 0:21 / /run rw - tmpfs tmpfs rw
26 25 0:22 / /run/user/1000 rw - tmpfs tmpfs rw
30 22 8:2 / /srv rw,relatime - ext4 /dev/sdb1 rw
31 30 8:3 / /srv/files/disk rw,relatime - ext4 /dev/sdc1 rw
32 30 8:4 / /srv/backup rw,relatime - ext4 /dev/sdd1 rw
33 32 8:5 / /srv/backup/more rw,relatime - ext4 /dev/sde1 rw
34 30 8:6 / /srv/files/.stversions rw,relatime - ext4 /dev/sdf1 rw
`

describe('which mounts a path leads through', () => {
  const cases: readonly (readonly [caption: string, more: string, path: string, ids: readonly string[]])[] = [
    ['one in the other', '', '/srv/files/disk/a', ['22', '30', '31']],
    ['a name that only begins like it', '', '/srv/files/disk2', ['22', '30']],
    ['the later of two', '40 30 8:7 / /srv rw - ext4 /dev/sdg1 rw\n', '/srv/x', ['22', '30', '40']],
    [
      'not what is hidden',
      '40 30 8:7 / /srv rw - ext4 /dev/sdg1 rw\n',
      '/srv/files/disk',
      ['22', '30', '40'],
    ],
    ['not what is hidden from above', '40 22 8:7 / / rw - ext4 /dev/sdg1 rw\n', '/srv/files', ['22', '40']],
  ]
  for (const [caption, more, path, ids] of cases)
    test(caption, () =>
      assert.deepEqual(
        mountsOn(path, mountsIn(MACHINE + more)).map(({ id }) => id),
        ids,
      ),
    )
})

describe('whether Syncthing has another file system than the machine', () => {
  const SYNCTHING = `50 49 8:1 / / rw,relatime - ext4 /dev/sda1 rw
51 50 8:2 / /srv rw,relatime - ext4 /dev/sdb1 rw
52 51 8:6 / /srv/files/.stversions rw,relatime - ext4 /dev/sdf1 rw
`
  const without = (point: string): string => MACHINE.replace(new RegExp(`^.* ${point} .*\n`, 'm'), '')
  const cases: readonly (readonly [caption: string, here: string, elsewhere: boolean])[] = [
    ['no', MACHINE, false],
    ['what is inside is not its matter', without('/srv/files/disk'), false],
    [
      'the same directory, bound',
      `${MACHINE}40 30 8:2 /files /srv/files rw - ext4 /dev/sdb1 rw
41 40 8:6 / /srv/files/.stversions rw - ext4 /dev/sdf1 rw
`,
      false,
    ],
    ['unmounted above', without('/srv'), true],
    ['mounted at it', `${MACHINE}40 30 8:7 / /srv/files rw - ext4 /dev/sdg1 rw\n`, true],
    ['mounted above it', `${MACHINE}40 30 8:7 / /srv rw - ext4 /dev/sdg1 rw\n`, true],
    [
      'another directory of the same disk',
      `${MACHINE}40 30 8:2 /old /srv/files rw - ext4 /dev/sdb1 rw\n`,
      true,
    ],
    ['its old versions are elsewhere', without('/srv/files/.stversions'), true],
    ['an automount that rests', `${MACHINE}40 30 0:30 / /srv rw - autofs systemd-1 rw\n`, false],
  ]
  for (const [caption, here, elsewhere] of cases)
    test(caption, () =>
      assert.equal(isElsewhere('/srv/files', mountsIn(here), mountsIn(SYNCTHING)), elsewhere),
    )
  test('an automount that rested when Syncthing started', () => {
    const resting = SYNCTHING.replace('ext4 /dev/sdb1', 'autofs systemd-1')
    assert.equal(isElsewhere('/srv/files', mountsIn(MACHINE), mountsIn(resting)), true)
  })
})

describe("what is detached from Syncthing's mount namespace", () => {
  const markers = { now: {}, known: {} }
  const configOf = (folders: readonly string[]): string =>
    folders.map((path) => folderXml('files-1', path, false)).join('')
  const points = (mountinfo: string, folders: readonly string[]): readonly string[] =>
    decideView({ mountinfo, config: configOf(folders), markers }).points
  test('what is inside a folder, and disks that no folder is on; neither devices nor old versions', () =>
    assert.deepEqual(points(MACHINE, ['/srv/files']), ['/run/user/1000', '/srv/files/disk', '/srv/backup']))
  test('all disks where there is no folder', () =>
    assert.deepEqual(points(MACHINE, []), ['/run/user/1000', '/srv']))
  test('of two over each other the upper one, and then the other', () => {
    const two = `${MACHINE}40 31 8:7 / /srv/files/disk rw - ext4 /dev/sdg1 rw\n`
    assert.deepEqual(points(two, ['/srv/files']), points(MACHINE, ['/srv/files']))
  })
  test('nothing more in the end', () => {
    const kept = MACHINE.split('\n').filter((line) => !/user|disk|backup/.test(line))
    assert.equal(decideView({ mountinfo: kept.join('\n'), config, markers }).do, 'nothing')
  })
  const other = { now: { 'files-1': '2', 'more-1': '3' }, known: { 'files-1': '1', 'more-1': '3' } }
  const bare = '22 1 8:1 / / rw - ext4 /dev/sda1 rw\n'
  test('then folders that are other directories than before are paused', () => {
    const plan = decideView({ mountinfo: bare, config, markers: other })
    assert.deepEqual([plan.do, plan.config], ['pause', withPaused(config, ['files-1'])])
    assert.equal(decideView({ mountinfo: bare, config: plan.config, markers: other }).do, 'nothing')
    assert.equal(decideView({ mountinfo: MACHINE, config, markers: other }).do, 'detach')
  })
  test('not those whose marker is missing, or seen for the first time', () => {
    for (const seen of [
      { ...other, now: {} },
      { ...other, known: {} },
    ])
      assert.equal(decideView({ mountinfo: bare, config, markers: seen }).do, 'nothing')
  })
})
