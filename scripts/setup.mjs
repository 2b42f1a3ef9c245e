#!/usr/bin/env node
// Makes a checkout ready: `node scripts/setup.mjs [lab|search]`. Plain Node, because it runs before npm install has.
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
/** What the lab runs on the host, and the package that has it. None of these has a service of its own. */
const labPrograms = {
  mmdebstrap: 'mmdebstrap',
  'systemd-nspawn': 'systemd-container',
  ip: 'iproute2',
  nft: 'nftables',
  'mkfs.ext4': 'e2fsprogs',
  nsenter: 'util-linux',
  flock: 'util-linux',
  ping: 'iputils-ping',
  psql: 'postgresql-client',
  '/usr/share/keyrings/debian-archive-keyring.gpg': 'debian-archive-keyring',
}

/** What puts the search server of some lab tests together: they ask for it themselves. */
const searchPrograms = { mvn: 'maven', zip: 'zip', unzip: 'unzip' }

/** What the tests of the package run. */
const testPrograms = { lintian: 'lintian', man: 'man-db' }

/**
 * @param {string} message
 * @param {number} code
 * @returns {never}
 */
function stop(message, code) {
  process.stderr.write(`setup: ${message}\n`)
  process.exit(code)
}

/** @param {string} line */
const say = (line) => process.stdout.write(`setup: ${line}\n`)

/**
 * Runs a program in the checkout; what it prints is shown only when it fails, and then we stop.
 * @param {string} file
 * @param {string[]} argv
 * @param {Record<string, string>} [env]
 */
function run(file, argv, env = {}) {
  const result = spawnSync(file, argv, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    env: { ...process.env, ...env },
  })
  if (result.error !== undefined) stop(`cannot run ${file}: ${result.error.message}`, 1)
  if (result.status === 0) return
  process.stderr.write(result.stdout + result.stderr)
  stop(`"${file} ${argv.join(' ')}" ended with ${result.status ?? result.signal}`, 1)
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  if (major > 20 || (major === 20 && minor >= 19)) return
  stop(`developing understudy needs Node.js 20.19 or newer; this is ${process.versions.node}`, 1)
}

/**
 * Whether node_modules is what package-lock.json says, by npm's own record of what it installed.
 * @returns {boolean}
 */
function dependenciesMatch() {
  const record = join(root, 'node_modules/.package-lock.json')
  if (!existsSync(record)) return false
  /** @type {(path: string) => Record<string, { version?: string, optional?: boolean }>} */
  const packagesOf = (path) => JSON.parse(readFileSync(path, 'utf8')).packages
  const installed = packagesOf(record)
  const wanted = packagesOf(join(root, 'package-lock.json'))
  return (
    Object.keys(installed).every((name) => installed[name]?.version === wanted[name]?.version) &&
    Object.entries(wanted).every(([name, entry]) => name === '' || entry.optional || name in installed)
  )
}

/** @param {Record<string, string>} programs @returns the packages of those that are not there. */
function missingOf(programs) {
  const path = ['/usr/sbin', '/usr/bin', '/sbin', '/bin', ...(process.env['PATH'] ?? '').split(':')]
  return Object.entries(programs)
    .filter(([program]) => !path.some((directory) => existsSync(resolve(directory, program))))
    .map(([, name]) => name)
}

/** Whether packages can be installed here. */
const canInstall = () => process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')

/** Stops where the lab cannot be. */
function checkLabHost() {
  if (process.getuid?.() !== 0) stop('the lab needs root (namespaces, mounts): run it with sudo', 77)
  const missing = missingOf(labPrograms)
  if (missing.length > 0 && !canInstall())
    stop(`the lab needs ${missing.join(', ')} and a Debian host to get them`, 1)
}

/**
 * Installs what is missing from Debian, with a policy that lets no service start on this machine.
 * @param {Record<string, string>} programs
 */
function installPackages(programs) {
  const missing = missingOf(programs)
  if (missing.length === 0) return
  say(`installing ${missing.join(', ')}`)
  const policy = '/usr/sbin/policy-rc.d'
  const ours = !existsSync(policy)
  if (ours) {
    process.once('exit', () => rmSync(policy, { force: true }))
    writeFileSync(policy, '#!/bin/sh\nexit 101\n')
    chmodSync(policy, 0o755)
  }
  const env = { DEBIAN_FRONTEND: 'noninteractive' }
  run('apt-get', ['update', '-qq'], env)
  run(
    'apt-get',
    ['install', '-qq', '--yes', '-o', 'Dpkg::Use-Pty=0', '--no-install-recommends', ...missing],
    env,
  )
}

const [what, ...more] = process.argv.slice(2)
if (more.length > 0 || (what !== undefined && what !== 'lab' && what !== 'search')) {
  stop('usage: node scripts/setup.mjs [lab|search]', 64)
}
checkNode()
if (!dependenciesMatch()) {
  say('installing the npm packages')
  // Not `npm ci`: it wants the lock to name the binaries of every platform, of which a registry may have only ours.
  run('npm', ['install', '--no-save', '--no-audit', '--no-fund'])
}
// Whoever asks for the lab builds what it needs; a build under a running lab test would pull the package from under it.
if (what === 'lab') {
  checkLabHost()
  installPackages({ ...labPrograms, ...testPrograms })
} else if (what === 'search') {
  checkLabHost()
  installPackages({ ...labPrograms, ...searchPrograms })
} else {
  // Without them some tests of the package are skipped.
  if (canInstall()) installPackages(testPrograms)
  run(process.execPath, ['build.mjs'])
}
