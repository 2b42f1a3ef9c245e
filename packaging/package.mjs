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
import { components } from '#lib/components'
import { packagedFiles, renderControl, renderPolkit, renderPostinst, renderTmpfiles } from './render.mjs'

const top = fileURLToPath(new URL('..', import.meta.url))
const { version, description } = JSON.parse(readFileSync(join(top, 'package.json'), 'utf8'))

// dpkg-deb refuses a control directory that others cannot read.
process.umask(0o022)
const root = mkdtempSync(join(tmpdir(), 'understudy-package-'))
chmodSync(root, 0o755)

/** @param {string} to on the machine @param {string} text @param {number} mode */
function write(to, text, mode = 0o644) {
  const target = join(root, to)
  mkdirSync(dirname(target), { recursive: true })
  writeFileSync(target, text, { mode })
}

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
  for (const { from, to, mode } of packagedFiles(components)) install(from, to, mode)
  for (const name of readdirSync(join(top, 'dist/understudy')))
    install(
      `dist/understudy/${name}`,
      `usr/lib/understudy/${name}`,
      name === 'understudy.mjs' ? 0o755 : 0o644,
    )
  mkdirSync(join(root, 'usr/bin'), { recursive: true })
  symlinkSync('../lib/understudy/understudy.mjs', join(root, 'usr/bin/understudy'))

  write('usr/lib/tmpfiles.d/understudy.conf', renderTmpfiles(components))
  write('usr/share/polkit-1/rules.d/50-understudy.rules', renderPolkit(components))
  install('LICENSE', 'usr/share/doc/understudy/copyright')
  install('CHANGELOG.md', 'usr/share/doc/understudy/changelog')

  write('DEBIAN/postinst', renderPostinst(components), 0o755)
  for (const script of ['prerm', 'postrm']) install(`packaging/debian/${script}`, `DEBIAN/${script}`, 0o755)
  write('DEBIAN/control', renderControl(components, { version, description }))

  const deb = join(top, 'dist', `understudy_${version}_all.deb`)
  // gzip: dpkg of both releases reads it, and it is quick.
  execFileSync('dpkg-deb', ['--root-owner-group', '-Zgzip', '--build', root, deb], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  console.log(deb)
} finally {
  rmSync(root, { recursive: true, force: true })
}
