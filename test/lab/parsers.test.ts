/**
 * What join writes, read by the programs that it is written for: on Debian 13 and on Debian 12, on a machine that belongs to no
 * cluster. Each parser also refuses broken texts, so each of these tests can fail.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { paths } from '../../lib/core/paths.ts'
import { renderPgbouncer } from '../../lib/pooler/config.ts'
import { poolerPaths } from '../../lib/pooler/manifest.ts'
import { slotName } from '../../lib/postgresql/config.ts'
import { streamConninfo } from '../../lib/postgresql/config-repmgr.ts'
import { postgresqlPaths, postgresqlUnits } from '../../lib/postgresql/manifest.ts'
import { virtualIpPaths } from '../../lib/virtual-ip/manifest.ts'
import { MONITOR_PASSWORD, PRIMARY, REPMGR_PASSWORD, rendered } from '../golden/rendered.ts'
import { settings } from '../unit/support/settings.ts'
import { Lab } from './lib/lab.ts'
import type { Suite } from './lib/state.ts'

type Texts = Readonly<Record<string, string>>
/** Lets a program read texts. @returns its complaints; empty where it has none. */
type Judge = (texts: Texts) => Promise<string>
/** One text of a component with something replaced, and what its parser says to that. */
type Broken = readonly [file: string, part: string, instead: string, complaint: RegExp]

const machine = 'n1'
const suites: readonly (readonly [suite: Suite, postgresqlVersion: number])[] = [
  ['trixie', 17],
  ['bookworm', 15],
]

for (const [suite, postgresqlVersion] of suites) {
  describe(`parsers of ${suite}`, () => {
    const name = `parsers-${suite}`
    const { network, ...others } = { ...settings, postgresqlVersion }
    const texts = rendered({ ...others, network })
    // PgBouncer 1.18 of Debian 12 tracks no parameters but its own.
    const pooler = { ...texts.pooler, 'pgbouncer.ini': renderPgbouncer(suite !== 'bookworm') }
    const data = postgresqlPaths.data(postgresqlVersion)
    let lab: Lab

    before(async () => {
      await Lab.remove(name) // what an interrupted run left
      lab = await Lab.up({ name, machines: 1, suite })
      await shell(`useradd --system keepalived_script
mkdir -p /run/understudy/lock
install -D --mode 755 /bin/true ${paths.handler('virtual-ip-state')}`)
    })
    after(() => Lab.remove(name))

    /** Runs a script. @returns what it said, on stdout and stderr, whether or not it failed. */
    async function shell(script: string): Promise<string> {
      const { stdout, stderr } = await lab.exec(machine, ['sh', '-c', script], { reject: false })
      return (stdout + stderr).trim()
    }

    /** As {@link shell}, of what a script says only where it fails. */
    const unlessItSucceeds = (script: string): Promise<string> =>
      shell(`said=$( { ${script}\n} 2>&1) || printf 'exit %s: %s\\n' "$?" "$said"`)

    async function put(path: string, text = '', owner = 'root'): Promise<void> {
      const script = 'mkdir -p "$(dirname "$1")" && cat >"$1" && chown "$2:" "$1" && chmod "$3" "$1"'
      const mode = owner === 'root' ? '644' : '600'
      await lab.exec(machine, ['sh', '-c', script, 'put', path, owner, mode], { input: text })
    }

    /** The parser refuses each broken text, and takes what is rendered, which stays on the machine. */
    function parser(title: string, of: Texts, judge: Judge, broken: readonly Broken[]): void {
      for (const [file, part, instead, complaint] of broken) {
        test(`${title}: refuses ${file} ${instead ? `with ${instead}` : `without ${part}`}`, async () => {
          const text = of[file] ?? ''
          assert.ok(text.includes(part), `${file} has no ${part}`)
          assert.match(await judge({ ...of, [file]: text.replace(part, () => instead) }), complaint)
        })
      }
      test(`${title}: takes what is rendered`, async () => assert.equal(await judge(of), ''))
    }

    async function putConsul(of: Texts): Promise<void> {
      for (const file of ['agent.json', 'bootstrap.json', 'services.json', 'probe.json'])
        await put(`/tmp/consul/${file}`, of[file])
    }

    parser(
      'consul validate',
      texts.consul,
      async (of) => {
        await putConsul(of)
        return unlessItSucceeds(
          `cd /tmp/consul && consul validate agent.json services.json && consul validate probe.json`,
        )
      },
      [
        ['agent.json', '"100ms"', '"100"', /missing unit in duration/],
        ['services.json', '"watches"', '"watchez"', /invalid config key watchez/],
        ['probe.json', '"ports"', '"portz"', /invalid config key portz/],
      ],
    )

    // `consul validate` does not look into watches.
    parser(
      'consul agent',
      texts.consul,
      async (of) => {
        await putConsul(of)
        return shell(`cd /tmp/consul
timeout 20 setpriv --reuid consul --regid consul --init-groups \
  consul agent -config-file=agent.json -config-file=bootstrap.json -config-file=services.json >log 2>&1 &
while kill -0 "$!" 2>/dev/null && ! grep --quiet 'agent running!' log; do sleep 0.1; done
kill "$!" 2>/dev/null
wait
grep --quiet 'agent running!' log || cat log`)
      },
      [
        ['services.json', '"type": "keyprefix"', '"type": "keyprefixes"', /Unsupported watch type/],
        ['services.json', '"prefix"', '"prefixes"', /Must specify a single prefix/],
      ],
    )

    parser(
      'keepalived',
      texts['virtual-ip'],
      async (of) => {
        await put(virtualIpPaths.weight, '-254\n')
        await put(virtualIpPaths.config, of['keepalived.conf'])
        const argv = ['keepalived', '--config-test', `--use-file=${virtualIpPaths.config}`]
        const { stdout, stderr, exitCode } = await lab.exec(machine, argv, { reject: false })
        // keepalived 2.2.7 of Debian 12 ends its test of any configuration with a notify script by SIGTERM to itself.
        const ended = exitCode === 0 || (suite === 'bookworm' && exitCode === 143) ? '' : `exit ${exitCode}`
        return stdout + stderr || ended
      },
      [
        ['keepalived.conf', 'advert_int 0.1', 'advert_int often', /invalid number 'often'/],
        ['keepalived.conf', 'preempt_delay', 'preempt_later', /Unknown keyword 'preempt_later'/],
        ['keepalived.conf', 'script_user keepalived_script', 'script_user nobody_here', /uid\/gid/],
        ['keepalived.conf', 'virtual_ipaddress {', 'virtual_ipaddress', /Extra '}'|missing/],
      ],
    )

    const startPgbouncer = (of: Texts): Promise<string> => startPgbouncerWith(of, 'databases.ini')
    async function startPgbouncerWith(of: Texts, databases: string): Promise<string> {
      await put(poolerPaths.databases, of[databases])
      await put(poolerPaths.hba, of['hba.conf'], 'postgres')
      await put(poolerPaths.userlist, of['userlist.txt'], 'postgres')
      await put(poolerPaths.config, of['pgbouncer.ini'], 'postgres')
      return shell(
        `runuser -u postgres -- pgbouncer -d ${poolerPaths.config} 2>&1 | grep --extended-regexp ' (WARNING|ERROR|FATAL) '`,
      )
    }
    const stopPgbouncer = (): Promise<string> =>
      shell(`pid=$(cat /run/postgresql/pgbouncer.pid 2>/dev/null) || exit 0
kill "$pid"
while kill -0 "$pid"; do sleep 0.05; done 2>/dev/null`)

    parser('pgbouncer', pooler, async (of) => (await startPgbouncer(of)) + (await stopPgbouncer()), [
      ['pgbouncer.ini', 'auth_type = hba', 'auth_type = hbas', /invalid value "hbas"/],
      ['pgbouncer.ini', 'tcp_keepidle', 'tcp_keepidler', /unknown parameter/],
      ['pgbouncer.ini', '%include /', '%include /nowhere/', /could not load file/],
      ['hba.conf', 'local pgbouncer all reject', 'local pgbouncer all rejected', /could not parse hba/],
      ['userlist.txt', '"understudy_monitor"', 'understudy_monitor', /broken auth file/],
      ['databases.ini', 'host=', 'host', /syntax error in connection string/],
    ])

    test('pgbouncer: takes the file that names no primary', async () => {
      assert.equal(await startPgbouncerWith(pooler, 'databases-without-a-primary.ini'), '')
      await stopPgbouncer()
    })

    test('pgbouncer: runs with what its files say, for those who may look at it', async () => {
      await startPgbouncer(pooler)
      const config = await shell(
        `runuser -u consul -- psql -XAt -h ${postgresqlPaths.sockets} -p 6432 -U consul pgbouncer -c 'show config'`,
      )
      const runs = new Map(config.split('\n').map((line) => line.split('|') as [string, string]))
      for (const [, setting = '', value] of pooler['pgbouncer.ini'].matchAll(/^(\w+) = (.*)$/gm))
        assert.equal(runs.get(setting), value, setting)
      const monitor = `PGPASSWORD=${MONITOR_PASSWORD} psql -XAt -h ${settings.address} -p 6432 -U understudy_monitor pgbouncer`
      assert.match(
        await shell(`${monitor} -c 'show databases'`),
        new RegExp(`^${settings.database}\\|${PRIMARY.address}\\|${PRIMARY.port}\\|`, 'm'),
      )
      assert.match(await shell(monitor.replace(MONITOR_PASSWORD, 'wrong')), /authentication failed/)
      await stopPgbouncer()
    })

    const server = `runuser -u postgres -- ${postgresqlPaths.bin(postgresqlVersion, 'postgres')} -D ${postgresqlPaths.configDirectory(postgresqlVersion)}`
    const psql = 'runuser -u postgres -- psql -XAtq'

    parser(
      'postgres -C',
      texts.postgresql,
      async (of) => {
        await put(postgresqlPaths.config(postgresqlVersion), of['understudy.conf'])
        return unlessItSucceeds(`${server} -C wal_log_hints`)
      },
      [
        ['understudy.conf', 'wal_log_hints = on', 'wal_log_hints = perhaps', /requires a Boolean/],
        ['understudy.conf', 'wal_keep_size', 'wal_keep_sizes', /unrecognized configuration parameter/],
        ['understudy.conf', "'3s'", "'3s", /syntax error/],
      ],
    )

    parser(
      'synchronous_standby_names',
      texts.postgresql,
      async (of) => {
        const argument = `'synchronous_standby_names=${of['synchronous_standby_names']}'`
        return unlessItSucceeds(`${server} -c ${argument} -C synchronous_standby_names`)
      },
      [['synchronous_standby_names', ')', '', /syntax error/]],
    )

    test('postgres -C: reads the lines of a standby as they were meant', async () => {
      const file = `${data}/postgresql.auto.conf`
      await put(file, texts.postgresql['postgresql.auto.conf'], 'postgres')
      const { node, repmgrId } = settings
      assert.equal(
        await shell(`${server} -C primary_conninfo && ${server} -C primary_slot_name`),
        `${streamConninfo(node, PRIMARY.address, PRIMARY.port)}\n${slotName(repmgrId)}`,
      )
      await put(file, '', 'postgres')
    })

    parser(
      'pg_hba_file_rules',
      texts.postgresql,
      async (of) => {
        await put(postgresqlPaths.hba(postgresqlVersion), of['pg_hba.conf'], 'postgres')
        return shell(`${psql} -c 'select error from pg_hba_file_rules where error is not null'`)
      },
      [
        ['pg_hba.conf', network, '10.77.0.0/240', /invalid CIDR mask/],
        ['pg_hba.conf', 'peer map=understudy', 'peer maps=understudy', /unrecognized authentication option/],
      ],
    )

    parser(
      'pg_ident_file_mappings',
      texts.postgresql,
      async (of) => {
        await put(postgresqlPaths.ident(postgresqlVersion), of['pg_ident.conf'], 'postgres')
        return shell(`${psql} -c 'select error from pg_ident_file_mappings where error is not null'`)
      },
      [['pg_ident.conf', 'root understudy_monitor', 'root', /missing entry/]],
    )

    test('PostgreSQL: starts with every setting applied, and understands every line about clients', async () => {
      const unit = postgresqlUnits.server(postgresqlVersion)
      assert.equal(await unlessItSucceeds(`systemctl restart ${unit}`), '')
      const asked =
        await shell(`${psql} -c "select count(*) filter (where applied), count(*) from pg_file_settings
  where sourcefile = '${postgresqlPaths.config(postgresqlVersion)}'" \
  -c 'select count(*) from pg_hba_file_rules' -c 'select count(*) from pg_ident_file_mappings'`)
      const count = texts.postgresql['understudy.conf'].match(/^\w+ = /gm)?.length
      const rules = texts.postgresql['pg_hba.conf'].match(/^(local|host) /gm)?.length
      assert.equal(asked, `${count}|${count}\n${rules}\n2`)
    })

    parser(
      'libpq',
      texts.postgresql,
      async (of) => {
        await shell(`${psql} -c "do 'begin create role repmgr login superuser; exception when others then end'"
${psql} -c "alter role repmgr password '${REPMGR_PASSWORD}'" -c 'create database repmgr'`)
        await put(postgresqlPaths.repmgrPassfile, of['repmgr.pgpass'], 'postgres')
        const [, conninfo = ''] = /^conninfo='(.*)'$/m.exec(of['repmgr.conf'] ?? '') ?? []
        return unlessItSucceeds(`${psql} --no-password '${conninfo}' -c 'select 1'`)
      },
      [
        ['repmgr.pgpass', '\\:', ':', /password authentication failed/],
        ['repmgr.conf', 'tcp_user_timeout', 'tcp_user_timeouts', /invalid connection option/],
      ],
    )

    // repmgr goes on to ask the database; what it thinks of that does not matter here.
    parser(
      'repmgr',
      texts.postgresql,
      async (of) => {
        await put(postgresqlPaths.repmgrConfig, of['repmgr.conf'])
        const said = await shell(
          `runuser -u postgres -- repmgr -f ${postgresqlPaths.repmgrConfig} node check 2>&1`,
        )
        return /following (?:errors|problems) were found.*/s.exec(said)?.[0] ?? ''
      },
      [
        ['repmgr.conf', 'failover=automatic', 'failover=sometimes', /"failover" must be/],
        ['repmgr.conf', 'reconnect_attempts=2', 'reconnect_attempts=two', /"reconnect_attempts": invalid/],
        ['repmgr.conf', 'monitor_interval_secs', 'monitor_interval_hours', /unknown name\/value pair/],
      ],
    )

    /** It reads the file, adds what is missing and writes it again; what it does not know is lost then. */
    parser(
      'syncthing',
      texts.files,
      async (of) => {
        const text = of['config.xml'] ?? ''
        await put('/tmp/syncthing/config.xml', text, 'nobody')
        const complaint = await unlessItSucceeds(`chown nobody /tmp/syncthing
runuser -u nobody -- env HOME=/tmp/syncthing syncthing generate --home=/tmp/syncthing --no-default-folder --skip-port-probing`)
        const kept = await shell('cat /tmp/syncthing/config.xml')
        const lost = text.match(/<(\w+)>[^<]*<\/\1>/g)?.filter((element) => !kept.includes(element)) ?? []
        return [complaint, ...lost.map((element) => `lost: ${element}`)].filter(Boolean).join('\n')
      },
      [
        ['config.xml', '</options>', '', /XML syntax error/],
        ['config.xml', 'IntervalS>5<', 'IntervalS>five<', /invalid syntax/],
        ['config.xml', '<natEnabled>false</natEnabled>', '<nat>false</nat>', /^lost: <nat>/],
      ],
    )
  })
}
