import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { foldersIn, withPaused } from '../../../lib/files/config.ts'
import { isWithin } from '../../../lib/files/decide-folders.ts'
import { decideFilesGate } from '../../../lib/files/decide-gate.ts'
import { insideProblem, mountedInside, mountPointsIn } from '../../../lib/files/decide-mounts.ts'

describe('where file systems are mounted', () => {
  test('a bind mount of the same file system is one, and what the kernel escapes is put back', () => {
    const text = String.raw`22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
90 22 8:1 /var/other /srv/files/bound rw,relatime shared:1 - ext4 /dev/sda1 rw
91 22 0:40 / /srv/files/a\040b\011c\012d\134e rw,relatime - tmpfs tmpfs rw
92 22 0:41 / /srv/files/auto rw,relatime - autofs systemd-1 rw,fd=60
`
    assert.deepEqual(mountPointsIn(text), [
      '/',
      '/srv/files/bound',
      '/srv/files/a b\tc\nd\\e',
      '/srv/files/auto',
    ])
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
