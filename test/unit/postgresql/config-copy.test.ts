import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  COPY_OPTIONS,
  copyArguments,
  parseProgress,
  rewindArguments,
} from '../../../lib/postgresql/config-copy.ts'
import { releases, TestServer } from '../support/postgresql.ts'

const request = {
  ...{ host: '10.77.0.11', port: 5432, directory: '/var/lib/postgresql/17/main.incoming' },
  ...{ slot: 'repmgr_slot_2', tablespaces: [], rate: null },
}

describe('a copy of the primary', () => {
  test('no time-out ends it that is made for noticing a silent machine', () => {
    for (const argv of [copyArguments(request), rewindArguments(17, request)]) {
      const conninfo = argv.find((argument) => /^--(dbname|source-server)=/.test(argument)) ?? ''
      assert.match(conninfo, /host=10\.77\.0\.11 .*keepalives_idle=10/)
      assert.doesNotMatch(conninfo, /tcp_user_timeout/)
    }
    assert.match(COPY_OPTIONS, /-c wal_sender_timeout=5min -c tcp_user_timeout=0/)
  })

  test('a tablespace is copied to another place, also one with = in its path', () => {
    const tablespaces = [{ from: '/srv/a=b', to: '/srv/a=b/understudy.incoming' }]
    const wanted = '--tablespace-mapping=/srv/a\\=b=/srv/a\\=b/understudy.incoming'
    assert.ok(copyArguments({ ...request, tablespaces }).includes(wanted))
  })

  test('it is as fast as it may be', () => {
    assert.ok(copyArguments({ ...request, rate: '50M' }).includes('--max-rate=50M'))
    assert.ok(!copyArguments(request).some((argument) => argument.startsWith('--max-rate')))
  })

  test('pg_basebackup says how far it is', () => {
    const progress = parseProgress(
      ' 8192/1048576 kB (0%), 0/2 tablespaces (...ib/postgresql/17/main.incoming)',
    )
    assert.deepEqual(progress, { doneBytes: 8 * 1024 ** 2, totalBytes: 1024 ** 3 })
    assert.equal(parseProgress('waiting for checkpoint'), null)
  })

  for (const { name, bin } of releases)
    test(`the role of the copies may set all of it: ${name}`, async () => {
      const server = await TestServer.start(bin)
      try {
        await server.ask('create role copier login replication')
        for (const setting of COPY_OPTIONS.matchAll(/-c (\w+)=((?:\\ |\S)+)/g))
          await server.connected(async (connection) => {
            await connection.query('set role copier')
            await connection.query(`set ${setting[1]} = '${setting[2]?.replaceAll('\\', '')}'`)
          })
      } finally {
        await server.remove()
      }
    })
})
