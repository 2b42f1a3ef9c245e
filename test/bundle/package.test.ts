/** The Debian package that `npm run package` has made: what is in it, and that everything that is named is there. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { runInNewContext } from 'node:vm'
import { commandUnits } from '../../lib/command/manifest.ts'
import { components } from '../../lib/components.ts'
import { consulUnits } from '../../lib/consul/manifest.ts'
import { serviceTag } from '../../lib/consul/service-tag.ts'
import { paths } from '../../lib/core/paths.ts'
import { filesUnits } from '../../lib/files/manifest.ts'
import { logsUnits } from '../../lib/logs/manifest.ts'
import { poolerUnits } from '../../lib/pooler/manifest.ts'
import { pooler } from '../../lib/pooler/reconciler.ts'
import { postgresqlUnits } from '../../lib/postgresql/manifest.ts'
import { rabbitmqUnits } from '../../lib/rabbitmq/manifest.ts'
import { searchUnits } from '../../lib/search/manifest.ts'
import { servicesUnits } from '../../lib/services/manifest.ts'
import { virtualIpUnits } from '../../lib/virtual-ip/manifest.ts'
import { virtualIpWeight } from '../../lib/virtual-ip/weight.ts'
import manifest from '../../package.json' with { type: 'json' }
import { renderPolkit, renderTmpfiles } from '../../packaging/render.mjs'
import { definitions } from '../unit/support/definitions.ts'
import { built, repository, scripts } from './support/handlers.ts'

const deb = join(repository, `dist/understudy_${manifest.version}_all.deb`)
const HANDLERS = '/usr/lib/understudy/handlers'
const UNITS = '/usr/lib/systemd/system'
const SCRIPTS = ['preinst', 'postinst', 'prerm', 'postrm']
const read = (path: string): string => readFileSync(join(repository, path), 'utf8')
const dpkg = (...args: string[]): string => execFileSync('dpkg-deb', args, { encoding: 'utf8' })
const sources = (folder: string): string[] =>
  (readdirSync(join(repository, folder), { recursive: true }) as string[])
    .filter((file) => file.endsWith('.ts'))
    .map((file) => `${folder}/${file}`)

/** Why a test of a program that is not there is skipped: node scripts/setup.mjs installs it, as root on Debian. */
const isMissing = (program: string): string | false =>
  existsSync(`/usr/bin/${program}`) ? false : `${program} is not installed`

interface Entry {
  mode: string
  owner: string
  target: string | undefined
}

const entries = new Map<string, Entry>()
let extracted = ''
before(() => {
  assert.ok(existsSync(deb), `there is no ${deb}: npm run package makes it`)
  for (const line of dpkg('--contents', deb).trim().split('\n')) {
    const [mode = '', owner = '', , , , path = '', , target] = line.split(/\s+/)
    entries.set(path.replace(/^\./, '').replace(/(.)\/$/, '$1'), { mode, owner, target })
  }
  extracted = mkdtempSync(join(tmpdir(), 'understudy-extracted-'))
  dpkg('--extract', deb, extracted)
})
after(() => rmSync(extracted, { recursive: true, force: true }))

describe('the package', () => {
  test('says what it is and what it needs', () => {
    const field = (name: string): string => dpkg('--field', deb, name).trim()
    assert.equal(field('Package'), 'understudy')
    assert.equal(field('Version'), manifest.version)
    assert.equal(field('Architecture'), 'all')
    assert.deepEqual(field('Depends').split(', '), [
      'adduser',
      'consul (>= 1.8)',
      'dbus',
      'nodejs (>= 18.19)',
      'pgbouncer',
      'polkitd',
      'postgresql',
      'procps',
      'repmgr',
      'syncthing (>= 1.19)',
      'systemd',
      'systemd-journal-remote',
    ])
    // A cluster without a virtual IP needs neither.
    assert.deepEqual(field('Recommends').split(', '), ['iputils-arping', 'keepalived'])
  })

  test('belongs to root, and nobody else can write or is kept out', () => {
    for (const [path, { mode, owner }] of entries) {
      assert.equal(owner, 'root/root', path)
      const program = path.startsWith(`${HANDLERS}/`) || path.endsWith('/understudy.mjs')
      const expected = mode.startsWith('d')
        ? 'drwxr-xr-x'
        : mode.startsWith('l')
          ? 'lrwxrwxrwx'
          : program
            ? '-rwxr-xr-x'
            : '-rw-r--r--'
      assert.equal(mode, expected, path)
    }
  })

  test('holds the handlers as they were built or written, and no others', () => {
    const packaged = join(extracted, HANDLERS)
    assert.deepEqual(readdirSync(packaged).sort(), [...readdirSync(built), ...Object.keys(scripts)].sort())
    const isAs = (name: string, source: string): void =>
      assert.ok(readFileSync(join(packaged, name)).equals(readFileSync(source)), name)
    for (const name of readdirSync(built)) isAs(name, join(built, name))
    for (const [name, file] of Object.entries(scripts)) isAs(name, join(repository, 'packaging', file))
  })

  test('holds the command', () => {
    assert.equal(entries.get('/usr/bin/understudy')?.target, '../lib/understudy/understudy.mjs')
    const said = execFileSync(process.execPath, [join(extracted, 'usr/bin/understudy'), '--version'], {
      env: {},
      encoding: 'utf8',
    })
    assert.equal(said, `${manifest.version}\n`)
  })

  test('holds every unit and drop-in', () => {
    for (const file of readdirSync(join(repository, 'packaging/systemd'))) {
      if (file.endsWith('.service')) assert.ok(entries.has(`${UNITS}/${file}`), file)
    }
    for (const unit of ['postgresql@', 'consul', 'keepalived', 'pgbouncer']) {
      assert.ok(entries.has(`${UNITS}/${unit}.service.d/understudy.conf`), unit)
    }
  })

  test('restarts nothing without a pause: what is ordered after such a unit would wait for ever where it keeps failing', () => {
    for (const file of readdirSync(join(repository, 'packaging/systemd'))) {
      const unit = read(`packaging/systemd/${file}`)
      if (/^Restart=/m.test(unit)) assert.match(unit, /^RestartSec=[1-9]\d*(ms)?$/m, file)
    }
  })

  test('holds everything else, where its reader looks', () => {
    for (const [path, text] of [
      ['/usr/lib/tmpfiles.d/understudy.conf', renderTmpfiles(components)],
      ['/usr/share/polkit-1/rules.d/50-understudy.rules', renderPolkit(components)],
    ] as const) {
      assert.equal(readFileSync(join(extracted, path), 'utf8'), text, path)
    }
  })

  test('has scripts that a shell understands', () => {
    const control = join(extracted, 'control')
    dpkg('--control', deb, control)
    for (const script of SCRIPTS) execFileSync('sh', ['-n', join(control, script)])
  })

  test('is in order for lintian', { skip: isMissing('lintian') }, () => {
    const { stdout } = spawnSync('lintian', ['--allow-root', '--tag-display-limit', '0', deb], {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C.UTF-8' },
    })
    assert.equal(stdout, '')
  })
})

describe('what is made from --help', () => {
  const said = (...argv: string[]): string =>
    execFileSync(process.execPath, [join(repository, 'dist/understudy/understudy.mjs'), ...argv, '--help'], {
      encoding: 'utf8',
    })
  const commands = readdirSync(join(repository, 'dist/understudy'))
    .map((name) => name.replace('.mjs', ''))
    .filter((name) => name !== 'understudy')
  const optionsIn = (text: string): string[] => [
    ...new Set([...text.matchAll(/--[a-z]+(?:-[a-z]+)*/g)].map(([option]) => option)),
  ]

  /** What bash offers for the last of these words. */
  function offered(...words: string[]): string[] {
    const script = `. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _understudy; printf '%s\\n' "\${COMPREPLY[@]}"`
    const file = join(extracted, 'usr/share/bash-completion/completions/understudy')
    return execFileSync('bash', ['-euc', script, 'bash', file, 'understudy', ...words], { encoding: 'utf8' })
      .split('\n')
      .filter((word) => word !== '')
  }

  test('the manual page has every command with every option, and troff has nothing to say about it', {
    skip: isMissing('man'),
  }, () => {
    const { status, stdout, stderr } = spawnSync(
      'man',
      [
        '--warnings',
        '--no-justification',
        '--no-hyphenation',
        '--local-file',
        join(extracted, 'usr/share/man/man8/understudy.8.gz'),
      ],
      { encoding: 'utf8', env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C.UTF-8', MANWIDTH: '120' } },
    )
    assert.deepEqual({ status, stderr }, { status: 0, stderr: '' })
    assert.match(stdout, /^NAME\n +understudy - /m)
    for (const command of commands) {
      const section = stdout.split(new RegExp(`^understudy ${command}$`, 'm'))[1]?.split(/^\S/m)[0] ?? ''
      for (const option of optionsIn(said(command)))
        assert.ok(section.includes(option), `${command} ${option}`)
      const plain = (text: string): string => text.replace(/\s+/g, ' ').trim()
      // Every word, in its order.
      const [title, ...lines] = said(command).split('\n')
      assert.ok(plain(section).startsWith(plain(title ?? '')), command)
      for (const word of plain(lines.join(' ')).split(' '))
        assert.ok(section.includes(word), `${command}: ${word}`)
    }
  })

  test('bash completes every command, its verbs and its options', () => {
    assert.deepEqual(offered('').sort(), ['--help', '--version', ...commands].sort())
    assert.deepEqual(offered('sta'), ['status'])
    for (const command of commands) {
      assert.deepEqual(offered(command, '--').sort(), optionsIn(said(command)).sort(), command)
    }
    assert.deepEqual(offered('folders', '').sort(), ['add', 'list', 'remove'])
    assert.deepEqual(offered('files', 'w'), ['wait'])
    // What follows is a file or a value.
    assert.deepEqual(offered('files', 'put', ''), [])
    assert.deepEqual(offered('join', '--policy', '--'), [])
    assert.deepEqual(offered('nothing', '--'), [])
  })
})

describe('what is named exists', () => {
  const handlers = [...readdirSync(built), ...Object.keys(scripts)]
  const matches = (text: string, pattern: RegExp): string[] =>
    [...text.matchAll(pattern)].map(([, name = '']) => name)

  test('handlers in the Consul config', () => {
    const named = [
      ...definitions.watches.flatMap(({ args }) => args),
      ...definitions.services.flatMap(({ checks }) =>
        checks.flatMap((check) => ('args' in check ? check.args : [])),
      ),
    ].filter((arg) => arg.startsWith('/usr/lib/understudy/'))
    const expected = [
      ...[
        'database-changed',
        'database-check',
        'files-changed',
        'lead-changed',
        'leader-released',
        'quick-check',
        'search-check',
        'services-changed',
      ],
    ]
    assert.deepEqual(
      [...new Set(named)].sort(),
      expected.map((name) => `${HANDLERS}/${name}`),
    )
    for (const path of named) assert.ok(entries.has(path), path)
  })

  test('handlers in what lib renders and runs', () => {
    const named = [...sources('lib'), ...sources('handlers')].flatMap((file) =>
      matches(read(file), /\bpaths\.handler\('([^']*)'\)/g),
    )
    assert.ok(named.length > 3)
    for (const name of named) assert.ok(handlers.includes(name), name)
    // The periodic check runs these by the names of their reconcilers.
    for (const { name } of [pooler, serviceTag, virtualIpWeight]) assert.ok(handlers.includes(name), name)
  })

  test('handlers in the units', () => {
    const files = readdirSync(join(repository, 'packaging/systemd'))
    const named = files.flatMap((file) =>
      matches(read(`packaging/systemd/${file}`), /\/usr\/lib\/understudy\/handlers\/([\w-]+)/g),
    )
    const expected = [
      ...[
        'failover',
        'fence',
        'files',
        'files-gate',
        'files-start',
        'follow',
        'log-peers',
        'pooler',
        'rabbitmq',
        'rabbitmq-gate',
        'rabbitmq-quorum',
        'rejoin',
        'search-members',
        'service-check',
        'services',
        'start-gate',
      ],
      'upgrade',
      ...['virtual-ip-command', 'virtual-ip-peers', 'virtual-ip-weight'],
      // By its timer, and at the stop of two daemons.
      ...['watchdog', 'watchdog', 'watchdog'],
    ]
    assert.deepEqual(named.sort(), expected)
    for (const name of named) assert.ok(handlers.includes(name), name)
  })

  test('handlers and locks in the scripts', () => {
    const text = Object.values(scripts)
      .map((file) => read(`packaging/${file}`))
      .join('')
    const named = matches(text, /\/usr\/lib\/understudy\/handlers\/([\w-]+)/g)
    assert.deepEqual(named, ['files-view', 'silent-primary', 'lead-changed', 'check'])
    for (const name of named) assert.ok(handlers.includes(name), name)
    for (const lock of matches(text, /(\/run\/understudy\/lock\/\S+)/g))
      assert.equal(lock, paths.lock('lead-changed'))
  })

  test('units of ours, wherever they are named', () => {
    const files = [
      ...sources('lib'),
      ...sources('handlers'),
      ...readdirSync(join(repository, 'consul-config')).map((file) => `consul-config/${file}`),
      ...Object.values(scripts).map((file) => `packaging/${file}`),
      ...readdirSync(join(repository, 'packaging/systemd')).map((file) => `packaging/systemd/${file}`),
    ]
    const named = files.flatMap((file) =>
      matches(read(file), /\b(understudy-[a-z-]+@?\.(?:service|timer|socket))\b/g),
    )
    for (const unit of components.flatMap(({ package: packaged }) => packaged.units ?? [])) {
      assert.ok(named.includes(unit), unit)
    }
    for (const unit of named) assert.ok(entries.has(`${UNITS}/${unit}`), unit)
  })
})

describe('polkit: who may do what with which unit', () => {
  type Rule = (
    action: { id: string; lookup(key: string): string },
    subject: { user: string },
  ) => string | undefined
  const rules: Rule[] = []
  runInNewContext(renderPolkit(components), {
    polkit: { addRule: (rule: Rule) => rules.push(rule), Result: { YES: 'yes' } },
  })
  const manage = 'org.freedesktop.systemd1.manage-units'
  const allows = (user: string, verb: string, unit: string, id = manage): boolean =>
    rules.some((rule) => rule({ id, lookup: (key) => ({ unit, verb })[key] ?? '' }, { user }) === 'yes')

  /** Every line is what a handler or repmgr does, see there. */
  const allowed: readonly (readonly [user: string, verb: string, unit: string])[] = [
    ['consul', 'start', postgresqlUnits.failover],
    ['consul', 'start', postgresqlUnits.fence],
    ['consul', 'start', filesUnits.files],
    ['consul', 'start', postgresqlUnits.follow],
    ['consul', 'start', postgresqlUnits.rejoin],
    ['consul', 'start', consulUnits.upgrade],
    ['consul', 'start', virtualIpUnits.peers],
    ['consul', 'start', commandUnits.call],
    ['consul', 'start', logsUnits.peers],
    ['consul', 'start', rabbitmqUnits.member],
    ['consul', 'start', searchUnits.members],
    // The broker that is to become a member.
    ['rabbitmq', 'start', rabbitmqUnits.server],
    ['rabbitmq', 'stop', rabbitmqUnits.server],
    ['consul', 'start', servicesUnits.services],
    ['keepalived_script', 'start', servicesUnits.services],
    // Daemons that hang.
    ['consul', 'kill', consulUnits.agent],
    ['consul', 'kill', virtualIpUnits.keepalived],
    ['consul', 'kill', poolerUnits.pgbouncer],
    ['consul', 'kill', filesUnits.syncthing],
    ['consul', 'kill', postgresqlUnits.repmgrd],
    // repmgrd's child_nodes_disconnect_command.
    ['postgres', 'start', postgresqlUnits.fence],
    ['postgres', 'start', postgresqlUnits.rejoin],
    ['postgres', 'start', postgresqlUnits.withdraw],
    ['postgres', 'start', postgresqlUnits.server(17)],
    ['postgres', 'stop', postgresqlUnits.server(17)],
    // One whose processes no longer listen.
    ['postgres', 'kill', postgresqlUnits.server(17)],
    // repmgr's service commands.
    ['postgres', 'restart', postgresqlUnits.server(17)],
    ['postgres', 'reload', postgresqlUnits.server(17)],
    ['postgres', 'restart', postgresqlUnits.repmgrd],
  ]
  for (const [user, verb, unit] of allowed) {
    test(`${user} may ${verb} ${unit}`, () => assert.ok(allows(user, verb, unit)))
  }

  test('and nothing else', () => {
    const users = ['consul', 'postgres', 'keepalived_script', 'rabbitmq', 'nobody']
    const verbs = ['start', 'stop', 'restart', 'reload', 'kill', 'set-property']
    const names = [
      ...components.flatMap(({ package: packaged, daemons }) => [...(packaged.units ?? []), ...daemons]),
      ...['postgresql@17-main.service', 'consul.service'],
      ...['postgresql.service', 'postgresql@17-other.service', 'ssh.service', ''],
      ...allowed.flatMap(([, , unit]) => [`x${unit}`, `${unit}x`, unit.replace('.', '-')]),
    ]
    const isAllowed = (...one: string[]): boolean =>
      allowed.some((line) => line.every((part, index) => part === one[index]))
    for (const user of users) {
      for (const verb of verbs) {
        for (const unit of names) {
          assert.equal(allows(user, verb, unit), isAllowed(user, verb, unit), `${user} ${verb} ${unit}`)
        }
      }
    }
    for (const [user, verb, unit] of allowed) {
      assert.ok(!allows(user, verb, unit, 'org.freedesktop.systemd1.manage-unit-files'))
    }
  })
})
