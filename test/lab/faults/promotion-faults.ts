/** Faults around a promotion: it is not published, its replay is held up, or a second failover comes close behind. */
import { waitFor } from '../../../lib/core/wait.ts'
import { sqlAsPostgres } from '../lib/cluster.ts'
import { askRoles, untilPrimary } from './ask.ts'
import type { Fault } from './fault.ts'
import type { Stage } from './stage.ts'

const PROMOTED_MS = 60_000
const GOES_ON_MS = 60_000
const READER_MS = 20_000
/** So many rows are written before the next fault: the cluster has settled, but only just. */
const ROWS_BETWEEN = 100

/**
 * From the moment at which PostgreSQL accepts a promotion, the machine's programs do not reach their Consul agent any more.
 * The kernel tells of it: nothing slower would come before the publication.
 */
const NOT_TO_BE_PUBLISHED = `const { existsSync, readdirSync, watch } = require('node:fs')
const { spawnSync } = require('node:child_process')
const versions = '/var/lib/postgresql/'
const [version] = readdirSync(versions).filter((name) => /^[0-9]+$/.test(name))
const signal = versions + version + '/main/standby.signal'
const look = () => {
  if (existsSync(signal)) return
  spawnSync('ip', ['link', 'set', 'lo', 'down'])
  process.exit()
}
watch(versions + version + '/main', look)`

const PUBLISHED = 'http://127.0.0.1:8500/v1/kv/understudy/postgresql/primary?raw&stale'

/**
 * Cuts the power of the primary, and then that of the machine that is promoted, before it is published.
 * @returns that machine.
 */
async function cutUnpublished(stage: Stage, primary: string): Promise<string> {
  const { lab, events } = stage
  const standbys = stage.others(primary)
  const ends = standbys.map((machine) => stage.background(machine, ['node', '-e', NOT_TO_BE_PUBLISHED]))
  try {
    await lab.poweroff(primary)
    events.note(`${primary} is off`)
    const promoted = await untilPrimary(lab, standbys, PROMOTED_MS)
    if (promoted === null) throw new Error('nobody was promoted')
    await lab.poweroff(promoted)
    events.note(`${promoted} is promoted, and off`)
    const [other = ''] = stage.others(primary, promoted)
    const { stdout } = await lab.exec(other, ['curl', '--silent', '--fail', '--max-time', '5', PUBLISHED])
    const { node } = JSON.parse(stdout) as { node: string }
    if (node !== primary) throw new Error(`${node} was published before it lost power`)
    return promoted
  } finally {
    for (const end of ends) await end()
  }
}

const TABLE = 'create table if not exists held (value int)'
const READ = 'select count(*), pg_sleep(600) from held'
const READERS = `from pg_stat_activity where query = '${READ}' and state = 'active'`
const REPLAY_WAITS = `select count(*) from pg_stat_activity where backend_type = 'startup' and wait_event_type = 'Lock'`

const replayHeldUp = (what: string, longest: string | null): Fault => ({
  what: `${what}; $ loses power`,
  on: ['primary'],
  takes: 'everything',
  async inject(stage, { machine, random }) {
    const { lab, events } = stage
    const standby = random.pick(stage.others(machine))
    const onStandby = (sql: string) => sqlAsPostgres(lab, standby, sql)
    const untilSome = (about: string, sql: string) =>
      waitFor(about, READER_MS, async () => (await onStandby(sql)) !== '0' || null)
    if (longest !== null) await onStandby(`alter system set max_standby_streaming_delay = '${longest}'`)
    await onStandby('select pg_reload_conf()')
    await sqlAsPostgres(lab, machine, TABLE)
    await untilSome('the table on the standby', `select count(*) from pg_class where relname = 'held'`)
    const end = stage.background(standby, [
      'runuser',
      '-u',
      'postgres',
      '--',
      'psql',
      '-Xqd',
      'app',
      '-c',
      READ,
    ])
    await untilSome('the reader to read', `select count(*) ${READERS}`)
    await sqlAsPostgres(lab, machine, 'alter table held alter column value set default 1')
    await untilSome('replay to wait for the reader', REPLAY_WAITS)
    events.note(`replay on ${standby} is held up`)
    await stage.untilMoreWritten(ROWS_BETWEEN, READER_MS)
    await lab.poweroff(machine)
    events.note(`${machine} is off`)
    return async () => {
      await end()
      // It may just be starting again.
      await waitFor(`PostgreSQL on ${standby}`, READER_MS, async () => {
        await onStandby(`select pg_terminate_backend(pid) ${READERS}`)
        await onStandby('alter system reset max_standby_streaming_delay')
        return onStandby('select pg_reload_conf()')
      })
      await lab.poweron(machine)
    }
  },
})

export const promotionFaults = {
  'unpublished-returns': {
    what: '$ loses power; so does the machine that is promoted, before it is published, and that one is powered on',
    on: ['primary'],
    takes: 'everything',
    async inject(stage, { machine }) {
      const promoted = await cutUnpublished(stage, machine)
      await stage.lab.poweron(promoted)
      stage.events.note(`${promoted} is back`)
      return () => stage.lab.poweron(machine)
    },
  },
  'unpublished-stays-away': {
    what: '$ loses power; so does the machine that is promoted, before it is published, and $ is powered on',
    on: ['primary'],
    takes: 'everything',
    async inject(stage, { machine }) {
      const promoted = await cutUnpublished(stage, machine)
      await stage.lab.poweron(machine)
      stage.events.note(`${machine} is back`)
      await stage.untilMoreWritten(ROWS_BETWEEN, GOES_ON_MS)
      return () => stage.lab.poweron(promoted)
    },
  },
  'replay-held-up': replayHeldUp('a reader on a standby holds up its replay for as long as it may', null),
  'replay-held-up-forever': replayHeldUp('a reader on a standby holds up its replay for ever', '-1'),
  'two-failovers': {
    what: 'PostgreSQL on $ is stopped, and on the machine that is promoted as soon as clients write there',
    on: ['primary'],
    takes: 'everything',
    async inject(stage, { machine }) {
      const { lab, events, timeline } = stage
      await lab.exec(machine, ['systemctl', 'stop', 'postgresql'])
      events.note(`PostgreSQL on ${machine} is stopped`)
      await stage.untilPromoted(timeline, PROMOTED_MS)
      await stage.untilMoreWritten(ROWS_BETWEEN, GOES_ON_MS)
      const { primary } = await askRoles(lab, stage.others(machine))
      if (primary === null) throw new Error('the new primary does not answer')
      const second = stage.timeline
      await lab.exec(primary, ['systemctl', 'stop', 'postgresql'])
      events.note(`PostgreSQL on ${primary} is stopped`)
      await stage.untilPromoted(second, PROMOTED_MS)
      return async () => {
        // The start gate waits for as long as it takes to know who the primary is.
        for (const stopped of [machine, primary])
          await lab.exec(stopped, ['systemctl', 'start', '--no-block', 'postgresql'])
      }
    },
  },
} as const satisfies Record<string, Fault>
