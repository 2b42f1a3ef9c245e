#!/usr/bin/env node
// Makes understudy_<version>_all.deb from dist/, the units and the rules, with dpkg-deb.
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const top = fileURLToPath(new URL('..', import.meta.url))
const { version, description } = JSON.parse(readFileSync(join(top, 'package.json'), 'utf8'))

const depends = [
  'adduser',
  'consul (>= 1.8)',
  'dbus',
  'iputils-arping',
  'keepalived',
  'nodejs (>= 18.19)',
  'pgbouncer',
  'polkitd',
  'postgresql',
  'repmgr',
  'syncthing (>= 1.19)',
  'systemd',
  'util-linux',
]

const control = `Package: understudy
Version: ${version}
Architecture: all
Maintainer: understudy <understudy@localhost>
Depends: ${depends.join(', ')}
Section: admin
Priority: optional
Description: high availability for three to five plain Debian machines
 ${description}.
`

// dpkg-deb refuses a control directory that others cannot read.
process.umask(0o022)
const root = mkdtempSync(join(tmpdir(), 'understudy-package-'))
chmodSync(root, 0o755)

/**
 * @param {string} from below the repository
 * @param {string} to on the machine
 * @param {number} mode
 */
function install(from, to, mode = 0o644) {
  const target = join(root, to)
  mkdirSync(dirname(target), { recursive: true })
  cpSync(join(top, from), target)
  chmodSync(target, mode)
}

try {
  for (const name of readdirSync(join(top, 'dist/handlers'))) {
    install(`dist/handlers/${name}`, `usr/lib/understudy/handlers/${name}`, 0o755)
  }
  for (const name of ['database-changed', 'database-check', 'files-changed', 'leader-released'])
    install(`packaging/${name}.sh`, `usr/lib/understudy/handlers/${name}`, 0o755)
  install('dist/understudy.mjs', 'usr/lib/understudy/understudy.mjs', 0o755)
  mkdirSync(join(root, 'usr/bin'), { recursive: true })
  symlinkSync('../lib/understudy/understudy.mjs', join(root, 'usr/bin/understudy'))

  for (const unit of ['failover', 'fence', 'files', 'follow', 'rejoin', 'repmgrd', 'syncthing', 'withdraw']) {
    install(
      `packaging/systemd/understudy-${unit}.service`,
      `usr/lib/systemd/system/understudy-${unit}.service`,
    )
  }
  install(
    'packaging/systemd/postgresql@.service.conf',
    'usr/lib/systemd/system/postgresql@.service.d/understudy.conf',
  )
  for (const daemon of ['consul', 'keepalived', 'pgbouncer']) {
    install('packaging/systemd/restart.conf', `usr/lib/systemd/system/${daemon}.service.d/understudy.conf`)
  }
  install('packaging/systemd/consul.conf', 'usr/lib/systemd/system/consul.service.d/understudy-priority.conf')
  install('packaging/tmpfiles.conf', 'usr/lib/tmpfiles.d/understudy.conf')
  install('packaging/polkit.rules', 'usr/share/polkit-1/rules.d/50-understudy.rules')
  install('LICENSE', 'usr/share/doc/understudy/copyright')
  install('CHANGELOG.md', 'usr/share/doc/understudy/changelog')

  for (const script of ['postinst', 'postrm'])
    install(`packaging/debian/${script}`, `DEBIAN/${script}`, 0o755)
  writeFileSync(join(root, 'DEBIAN/control'), control)

  const deb = join(top, 'dist', `understudy_${version}_all.deb`)
  // gzip: dpkg of both releases reads it, and it is quick.
  execFileSync('dpkg-deb', ['--root-owner-group', '-Zgzip', '--build', root, deb], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  console.log(deb)
} finally {
  rmSync(root, { recursive: true, force: true })
}
