/** A former primary that has what the new one does not have, and the new one has not made a checkpoint yet: on real servers. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { waitFor } from '../../../lib/core/wait.ts'
import { readyForRewind } from '../../../lib/postgresql/apply-rejoin.ts'
import { asNobody, releases, TestServer } from '../support/postgresql.ts'

const WAIT_MS = 20_000

for (const { name, bin } of releases.filter((release) => existsSync(join(release.bin, 'pg_rewind'))))
  describe(name, () => {
    let former: TestServer
    let primary: TestServer
    let version: number
    let checkpointer: number
    const rows = async (server: TestServer): Promise<number[]> =>
      (await server.ask<{ number: number }>('select number from public.kept order by number')).map(
        ({ number }) => number,
      )
    const insert = (number: number): Promise<unknown> =>
      primary.ask(`insert into public.kept values (${number})`)

    async function rewind(): Promise<string> {
      await former.end()
      const source = `host=${primary.directory} port=${primary.target.port} user=postgres dbname=postgres`
      const [file, argv] = asNobody(join(bin, 'pg_rewind'), ['-D', former.data, `--source-server=${source}`])
      return (await promisify(execFile)(file, argv)).stderr
    }

    /** Lets the former primary follow the new one. */
    async function follow(): Promise<void> {
      const conninfo = `host=${primary.directory} port=${primary.target.port} user=postgres application_name=n1`
      writeFileSync(join(former.data, 'standby.signal'), '')
      writeFileSync(join(former.data, 'postgresql.auto.conf'), `primary_conninfo = '${conninfo}'\n`)
      await former.run()
    }

    before(async () => {
      former = await TestServer.start(bin)
      // The rule as well: as a member of a cluster it has waited for the others before.
      const settings = "wal_log_hints = on\nsynchronous_standby_names = 'ANY 1 (n1)'\n"
      await former.ask('create table public.kept (number int primary key)')
      writeFileSync(join(former.data, 'postgresql.conf'), settings, { flag: 'a' })
      primary = await former.standby('n2')
      const [row] = await former.ask<{ version: string }>(
        `select current_setting('server_version_num') as version`,
      )
      version = Math.trunc(Number(row?.version) / 10_000)
      checkpointer = await primary.process('checkpointer')
      process.kill(checkpointer, 'SIGSTOP')
      await primary.ask('select pg_promote()')
      await former.ask('set synchronous_commit = local; insert into public.kept values (1)')
    })
    after(async () => {
      process.kill(checkpointer, 'SIGCONT')
      await former.remove()
      await primary.remove()
    })

    test('before PostgreSQL 16, pg_rewind sees no difference, and the machine confirms what it does not have', async (t) => {
      if (version >= 16) return t.skip('it sees the difference')
      assert.match(await rewind(), /no rewind required/)
      await follow()
      await insert(2)
      assert.deepEqual(await rows(former), [1])
      assert.deepEqual(await rows(primary), [2])
    })

    test('after a checkpoint it is rewound, and confirms what it has', async () => {
      const ready = readyForRewind(version, primary.target)
      process.kill(checkpointer, 'SIGCONT')
      await ready
      assert.doesNotMatch(await rewind(), /no rewind required/)
      await follow()
      await insert(3)
      const onPrimary = await rows(primary)
      assert.ok(!onPrimary.includes(1))
      await waitFor('the standby to replay', WAIT_MS, async () => (await rows(former)).includes(3) || null)
      assert.deepEqual(await rows(former), onPrimary)
    })
  })
