import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import { type FoundFile, whyNotReplace } from '../../../lib/core/decide-replace.ts'
import { conffilesIn } from '../../../lib/core/dpkg.ts'
import { isOurUserlist, renderPgbouncer, renderUserlist } from '../../../lib/pooler/config.ts'
import { renderKeepalived } from '../../../lib/virtual-ip/config.ts'

const shipped = '[databases]\n;; of the package\n[pgbouncer]\nlisten_addr = localhost\n'
const md5 = createHash('md5').update(shipped).digest('hex')
const keepalived = renderKeepalived({
  ...{ node: 'n1', interface: 'eth0', virtualIp: '10.77.0.100/24', routerId: 100, priority: 100 },
})

const cases: readonly [string, Omit<FoundFile, 'path'>, boolean][] = [
  ['no file', { text: null, md5: null }, true],
  ["the package's own", { text: shipped, md5 }, true],
  ["the package's own, changed", { text: shipped.replace('localhost', '*'), md5 }, false],
  ['what no package has', { text: shipped, md5: null }, false],
  ['ours, changed by hand', { text: `${renderPgbouncer(true)}\nverbose = 1\n`, md5 }, true],
  ['ours for keepalived', { text: keepalived, md5: null }, true],
  ['ours further down', { text: `vrrp_instance VI_1 {\n}\n${keepalived}`, md5: null }, false],
  ['nothing at all', { text: '', md5: null }, true],
  [
    'only comments',
    { text: '! Configuration File for keepalived\n\n  # none yet\n;; nor here\n', md5: null },
    true,
  ],
  ["an operator's VRRP", { text: '! Configuration File\nvrrp_instance VI_1 {\n}\n', md5: null }, false],
]

describe('whether a join may replace a file', () => {
  for (const [caption, found, may] of cases)
    test(caption, () => {
      const why = whyNotReplace({ path: '/etc/x.conf', ...found })
      if (may) assert.equal(why, null)
      else
        assert.match(
          why ?? '',
          /^\/etc\/x\.conf has settings of somebody else, which joining would replace; move it away/,
        )
    })
})

test('a list of users has no header: ours is known by the user of our check', () => {
  const found = (text: string) => ({ path: '/etc/u', text, md5: null, isOurs: isOurUserlist })
  assert.equal(
    whyNotReplace(found(renderUserlist({ understudy_monitor: 'SCRAM-SHA-256$x', consul: 'y' }))),
    null,
  )
  assert.match(whyNotReplace(found('"shop" "md5abc"\n')) ?? '', /somebody else/)
  assert.match(whyNotReplace(found('"not_understudy_monitor" "x"\n')) ?? '', /somebody else/)
})

test('what dpkg says of configuration files', () => {
  const said = `
 /etc/default/pgbouncer f5ef5547124fa5bde6c0f032502899bc
 /etc/pgbouncer/pgbouncer.ini ${md5}
 /etc/old.conf 288173e2dbbb04b02e563a7f9e83cd17 obsolete
 /etc/new.conf newconffile
`
  assert.deepEqual(
    [...conffilesIn(said)],
    [
      ['/etc/default/pgbouncer', 'f5ef5547124fa5bde6c0f032502899bc'],
      ['/etc/pgbouncer/pgbouncer.ini', md5],
      ['/etc/old.conf', '288173e2dbbb04b02e563a7f9e83cd17'],
    ],
  )
  assert.deepEqual([...conffilesIn('\n')], [])
})
