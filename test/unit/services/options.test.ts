import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { NO_SERVICES, withoutService, withService } from '../../../lib/services/change-services.ts'
import { kindOf, registrationOf, renderCommand } from '../../../lib/services/config.ts'
import { unitProblem } from '../../../lib/services/decide-names.ts'
import {
  reportServices,
  type ServiceState,
  serviceProblems,
  stateText,
} from '../../../lib/services/decide-status.ts'
import type { Service } from '../../../lib/services/manifest.ts'
import { parseServicesCommand } from '../../../lib/services/options.ts'

describe('the arguments of understudy services', () => {
  const good: readonly (readonly [argv: string[], command: object])[] = [
    [['list'], { verb: 'list', json: false }],
    [['list', '--json'], { verb: 'list', json: true }],
    [['remove', 'web'], { verb: 'remove', name: 'web' }],
    [
      ['add', 'web', '--unit', 'web'],
      {
        verb: 'add',
        name: 'web',
        service: { unit: 'web.service', check: null, run: 'everywhere', givesWay: false },
      },
    ],
    [
      ['add', 'web', '--unit=web@1.service', '--check=http://localhost/', '--run=active', '--gives-way'],
      {
        ...{ verb: 'add', name: 'web' },
        service: { unit: 'web@1.service', check: 'http://localhost/', run: 'active', givesWay: true },
      },
    ],
  ]
  test('an exclusive service of the active machine', () =>
    assert.deepEqual(parseServicesCommand(['add', 'web', '--unit=web', '--run=active', '--exclusive']), {
      ...{ verb: 'add', name: 'web' },
      service: { unit: 'web.service', check: null, run: 'active', givesWay: false, exclusive: true },
    }))
  for (const [argv, command] of good)
    test(argv.join(' '), () => assert.deepEqual(parseServicesCommand(argv), command))

  const bad: readonly (readonly [argv: string[], said: RegExp])[] = [
    [[], /run understudy services add, remove or list;/],
    [['change'], /remove or list, not change/],
    [['add'], /run understudy services add NAME/],
    [['add', 'web'], /name the unit of the service with --unit/],
    [['add', 'web', '--unit='], /name the unit/],
    [['add', 'Web', '--unit=web'], /it cannot be "Web"/],
    [['add', 'w_b', '--unit=web'], /it cannot be "w_b"/],
    [['add', '-web', '--unit=web'], /Unknown option/],
    [['add', 'constructor', '--unit=web'], /it cannot be "constructor"/],
    [['add', 'w'.repeat(64), '--unit=web'], /up to 63/],
    [['add', 'web', '--unit=web', '--run=here'], /--run takes everywhere or active, not "here"/],
    [['add', 'web', '--unit=web', '--exclusive'], /--exclusive needs --run active/],
    [
      ['add', 'web', '--unit=web.socket', '--run=active', '--exclusive'],
      /--exclusive takes a service of systemd, not web\.socket/,
    ],
    [['add', 'web', '--unit=web', '--check='], /it cannot be ""/],
    [['add', 'web', '--unit=web', '--check=tcp:'], /it cannot be "tcp:"/],
    [['add', 'web', '--unit=web', '--check=tcp:0'], /it cannot be "tcp:0"/],
    [['add', 'web', '--unit=web', '--check=tcp:65536'], /it cannot be/],
    [['add', 'web', '--unit=web', '--check=http://'], /it cannot be/],
    [['add', 'web', '--unit=web', '--check=http://a b/'], /it cannot be/],
    [['add', 'web', '--unit=web', '--check=true\nfalse'], /in one line/],
    [['add', 'web', '--unit=web', `--check=${'x'.repeat(1001)}`], /up to 1000 characters/],
    [['add', 'web', '--unit=web', '--check', 'pg_isready', '-q'], /Unknown option '-q'/],
    [['add', 'web', 'extra', '--unit=web'], /unexpected argument extra/],
    [['list', 'web'], /unexpected argument web/],
    [['remove', 'web', '--json'], /Unknown option '--json'/],
  ]
  for (const [argv, said] of bad)
    test(`refused: ${argv.join(' ').slice(0, 60)}`, () =>
      assert.throws(() => parseServicesCommand(argv), { exitCode: 64, message: said }))
})

describe('units that can be a service', () => {
  const ours = ['understudy-files.service', 'lamp.service']
  for (const unit of [
    'rest.service',
    'web@1.service',
    'a-b_c.timer',
    'x.socket',
    'app.target',
    'x\\x2dy.path',
  ])
    test(`${unit} can`, () => assert.equal(unitProblem(unit, ours), null))
  for (const unit of [
    ...['consul.service', 'postgresql.service', 'postgresql@17-main.service', 'pgbouncer.service'],
    ...['keepalived.service', 'understudy-files.service', 'lamp.service', 'systemd-journald.service'],
    ...['web@.service', 'a b.service', 'x.mount', "it's.service", 'rabbitmq-server.service', 'ssh.service'],
  ])
    test(`${unit} cannot`, () => assert.notEqual(unitProblem(unit, ours), null))
})

const service = (check: string | null, run: Service['run'] = 'everywhere'): Service => ({
  ...{ unit: 'web.service', check, run, givesWay: false },
})

describe('what Consul is told', () => {
  const cases: readonly (readonly [check: string | null, port: number | undefined, look: object])[] = [
    ['http://localhost:8100/status', 8100, { HTTP: 'http://localhost:8100/status' }],
    ['https://127.0.0.1/', 443, { HTTP: 'https://127.0.0.1/' }],
    ['http://10.0.0.1:8100/', undefined, { HTTP: 'http://10.0.0.1:8100/' }],
    ['tcp:8200', 8200, { TCP: '127.0.0.1:8200' }],
    ['/usr/bin/true', undefined, { HTTP: 'http://127.0.0.1:19534/web' }],
    [null, undefined, { HTTP: 'http://127.0.0.1:19534/web' }],
  ]
  for (const [check, port, look] of cases)
    test(String(check), () => {
      const { Meta: _, ...said } = registrationOf('web', service(check)) as never as Record<string, object>
      assert.deepEqual(said, {
        ...{ ID: 'service-web', Name: 'web', ...(port === undefined ? {} : { Port: port }) },
        Check: {
          ...{ CheckID: 'service-web', Name: 'The service web of the operator', ...look },
          ...{ Interval: '5s', Timeout: '4s' },
        },
      })
    })
  test('another check is another registration', () => {
    const digest = (check: string): string => registrationOf('web', service(check)).Meta.understudy
    assert.notEqual(digest('tcp:1'), digest('tcp:2'))
  })
  test('only a command is run by us', () => {
    assert.equal(renderCommand(service('tcp:1')), null)
    assert.equal(renderCommand(service('test -e /x')), 'test -e /x\n')
    assert.equal(renderCommand(service(null)), "systemctl is-active -- 'web.service'\n")
    assert.equal(kindOf(service('  ')), null)
  })
})

describe('the list of services', () => {
  const { document } = withService(NO_SERVICES, 'web', service(null), ['consul'])
  test('the same one again changes nothing', () =>
    assert.deepEqual(withService(document, 'web', service(null), ['web']).document, document))
  const bad: readonly (readonly [name: string, service: Service, said: RegExp])[] = [
    ['web', service('tcp:1'), /there is a service web already/],
    ['consul', service(null), /the name consul is taken/],
    ['other', service(null), /web\.service is already the unit of the service web/],
  ]
  for (const [name, one, said] of bad)
    test(`refused: ${said.source}`, () =>
      assert.throws(() => withService(document, name, one, ['consul']), { exitCode: 64, message: said }))
  test('removal', () => {
    assert.deepEqual(withoutService(document, 'web').document, NO_SERVICES)
    assert.throws(() => withoutService(document, 'rest'), { message: /the services are: web/ })
  })
})

describe('the status of services', () => {
  const entry = (states: Record<string, 'here' | 'elsewhere' | 'missing'>) => ({
    value: { schema: 1 as const, services: states },
  })
  const [report] = reportServices(
    { schema: 1, services: { web: service(null, 'active') } },
    new Map([
      ['n1', entry({ web: 'here' })],
      ['n2', entry({ web: 'missing' })],
    ]),
    [{ node: 'n1', checkId: 'service-web', status: 'passing' }],
    ['n1', 'n2', 'n3'],
  )
  test('per machine', () => {
    assert.deepEqual(report?.machines, {
      n1: { state: 'here', check: 'passing' },
      n2: { state: 'missing', check: null },
      n3: { state: 'unknown', check: null },
    })
    assert.deepEqual(
      ['n1', 'n2', 'n3'].map((node) => stateText(report?.machines[node] as ServiceState)),
      ['runs here, its check is passing', 'has no such unit', 'not set up yet'],
    )
    assert.equal(report?.dns, 'web.service.consul')
  })
  test('one of the active machine that runs nowhere is a problem', () => {
    assert.deepEqual(serviceProblems(report ? [report] : []), [])
    const nowhere = report && { ...report, machines: { n1: { state: 'elsewhere' as const, check: null } } }
    assert.deepEqual(serviceProblems(nowhere ? [nowhere] : []), ['the service web runs on no machine'])
  })
})
