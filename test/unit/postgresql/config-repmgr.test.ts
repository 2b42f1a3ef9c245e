import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { renderRepmgr, repmgrConninfo, streamConninfo } from '../../../lib/postgresql/config-repmgr.ts'
import { FENCE_AFTER_MS } from '../../../lib/postgresql/decide-fence.ts'
import { postgresqlUnits } from '../../../lib/postgresql/manifest.ts'

describe('repmgr', () => {
  const text = renderRepmgr({
    node: 'n2',
    repmgrId: 2,
    address: '10.77.0.12',
    port: 5433,
    postgresqlVersion: 17,
    priority: 95,
  })
  const setting = (name: string): string | undefined => new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1]

  test('the machine is named, numbered and weighted', () => {
    assert.equal(setting('node_id'), '2')
    assert.equal(setting('node_name'), "'n2'")
    assert.equal(setting('priority'), '95')
    assert.equal(setting('data_directory'), "'/var/lib/postgresql/17/main'")
  })

  test('the conninfo needs no quotes inside its quotes', () => {
    assert.equal(setting('conninfo'), `'${repmgrConninfo('n2', '10.77.0.12', 5433)}'`)
    assert.doesNotMatch(repmgrConninfo('n2', '10.77.0.12', 5433), /['\\]/)
  })

  test('application_name is the name of the machine, which child_nodes and slots go by', () =>
    assert.match(repmgrConninfo('n2', '10.77.0.12', 5433), /\bapplication_name=n2 /))

  test('a WAL sender does not outlive a receiver that is dead, and repmgr is left alone', () => {
    assert.match(streamConninfo('n2', '10.77.0.12', 5433), / options='-c tcp_user_timeout=5000' /)
    assert.doesNotMatch(repmgrConninfo('n2', '10.77.0.12', 5433), /options/)
  })

  test('no password is in it', () => assert.doesNotMatch(text, /password=/))

  // An unset placeholder vanishes and shifts the arguments behind it.
  test('every placeholder of the event command is quoted', () =>
    assert.match(setting('event_notification_command') ?? '', / "%n" "%e" "%s" "%t" "%d"'$/))

  test('repmgrd does not wait for a query on a dead connection', () =>
    assert.equal(setting('connection_check_type'), 'ping'))

  test('a primary that has lost its standbys runs the fence sooner than the fence would stop it', () => {
    assert.equal(
      setting('child_nodes_disconnect_command'),
      `'systemctl start --no-block ${postgresqlUnits.fence}'`,
    )
    assert.equal(setting('child_nodes_check_interval'), setting('monitor_interval_secs'))
    assert.ok(Number(setting('child_nodes_disconnect_timeout')) * 1000 < FENCE_AFTER_MS)
  })

  test('each setting is there once', () => {
    const names = [...text.matchAll(/^(\w+)=/gm)].map(([, name]) => name)
    assert.deepEqual(names, [...new Set(names)])
  })
})
