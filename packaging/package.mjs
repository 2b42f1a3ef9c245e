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
import { gzipSync } from 'node:zlib'
import { components } from '#lib/components'
import { renderCompletion, renderManual } from './manual.mjs'
import {
  packagedFiles,
  renderChangelog,
  renderControl,
  renderCopyright,
  renderPolkit,
  renderPostinst,
  renderPreinst,
  renderTmpfiles,
  renderTriggers,
} from './render.mjs'

const top = fileURLToPath(new URL('..', import.meta.url))
const { version, description, author } = JSON.parse(readFileSync(join(top, 'package.json'), 'utf8'))
const builtMs = process.env['SOURCE_DATE_EPOCH']
  ? Number(process.env['SOURCE_DATE_EPOCH']) * 1000
  : Date.now()
const about = { version, description, maintainer: author, builtMs }

// dpkg-deb refuses a control directory that others cannot read.
process.umask(0o022)
const root = mkdtempSync(join(tmpdir(), 'understudy-package-'))
chmodSync(root, 0o755)

/** @param {string} to on the machine @param {string | Buffer} text @param {number} mode */
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

/** Compressed as much as it goes, and without a date. @param {string} to @param {string} text */
const writeGzip = (to, text) => write(to, gzipSync(text, { level: 9 }))

/** @param {string[]} argv of the command */
const understudy = (...argv) =>
  execFileSync(process.execPath, [join(top, 'dist/understudy/understudy.mjs'), ...argv], { encoding: 'utf8' })

try {
  for (const name of readdirSync(join(top, 'dist/handlers'))) {
    install(`dist/handlers/${name}`, `usr/lib/understudy/handlers/${name}`, 0o755)
  }
  for (const { from, to, mode } of packagedFiles(components)) install(from, to, mode)
  const programs = readdirSync(join(top, 'dist/understudy'))
  for (const name of programs) {
    const text = readFileSync(join(top, 'dist/understudy', name), 'utf8')
    const isCommand = name === 'understudy.mjs'
    // What is loaded and never run has no interpreter.
    write(
      `usr/lib/understudy/${name}`,
      isCommand ? text : text.replace(/^#!.*\n/, ''),
      isCommand ? 0o755 : 0o644,
    )
  }
  mkdirSync(join(root, 'usr/bin'), { recursive: true })
  symlinkSync('../lib/understudy/understudy.mjs', join(root, 'usr/bin/understudy'))

  write('usr/lib/tmpfiles.d/understudy.conf', renderTmpfiles(components))
  write('usr/share/polkit-1/rules.d/50-understudy.rules', renderPolkit(components))
  write('usr/share/doc/understudy/copyright', renderCopyright(about))
  writeGzip(
    'usr/share/doc/understudy/changelog.gz',
    renderChangelog(readFileSync(join(top, 'CHANGELOG.md'), 'utf8'), about),
  )
  install('packaging/debian/lintian-overrides', 'usr/share/lintian/overrides/understudy')

  const help = understudy('--help')
  const commands = programs
    .map((name) => name.replace(/\.mjs$/, ''))
    .filter((name) => name !== 'understudy')
    .sort((a, b) => help.indexOf(`understudy ${a}`) - help.indexOf(`understudy ${b}`))
    .map((name) => ({ name, help: understudy(name, '--help') }))
  writeGzip('usr/share/man/man8/understudy.8.gz', renderManual(help, commands, about))
  write('usr/share/bash-completion/completions/understudy', renderCompletion(help, commands))

  write('DEBIAN/preinst', renderPreinst(about), 0o755)
  write('DEBIAN/triggers', renderTriggers(components))
  write('DEBIAN/postinst', renderPostinst(components), 0o755)
  for (const script of ['prerm', 'postrm']) install(`packaging/debian/${script}`, `DEBIAN/${script}`, 0o755)
  write('DEBIAN/control', renderControl(components, about))

  const deb = join(top, 'dist', `understudy_${version}_all.deb`)
  // gzip: dpkg of both releases reads it, and it is quick.
  execFileSync('dpkg-deb', ['--root-owner-group', '-Zgzip', '--build', root, deb], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  console.log(deb)
} finally {
  rmSync(root, { recursive: true, force: true })
}
