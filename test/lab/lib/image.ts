/** The disk image that all machines of a suite share: plain Debian with the packages installed, nothing configured. */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import { downloadConsul } from './consul-package.ts'
import { withLock } from './host.ts'
import { findMirror } from './mirror.ts'
import { allLabs, imagesDir, type Suite } from './state.ts'

const packages = [
  'systemd systemd-sysv dbus polkitd libpam-systemd procps iproute2 iputils-ping iputils-arping nftables',
  'postgresql repmgr pgbouncer keepalived syncthing nodejs pipexec',
  'jq less ca-certificates curl rsync faketime systemd-journal-remote',
].flatMap((line) => line.split(' '))

const repmgr: Record<Suite, string> = { trixie: 'postgresql-17-repmgr', bookworm: 'postgresql-15-repmgr' }

/**
 * Runs in the finished root file system ($1). PostgreSQL stays enabled, as Debian leaves it. What else starts by
 * itself on Debian is disabled, so that a fresh machine is quiet; the product must not rely on either.
 */
const finish = `set -eu
cd "$1"
chroot . dpkg --install /consul.deb
rm -f consul.deb etc/hostname etc/resolv.conf etc/dpkg/dpkg.cfg.d/99mmdebstrap etc/apt/apt.conf.d/99mmdebstrap
for unit in pgbouncer.service keepalived.service consul.service repmgrd.service \\
  apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer fstrim.timer e2scrub_all.timer \\
  e2scrub_reap.service systemd-pstore.service getty@tty1.service; do
  # A unit that this release does not have is none to disable.
  systemctl --root=. disable "$unit" >/dev/null 2>&1 || true
done
systemctl --root=. mask console-getty.service systemd-firstboot.service
mkdir -p var/log/journal
: >etc/machine-id
rm -f var/lib/dbus/machine-id
test -f etc/postgresql/*/main/postgresql.conf
`

/** Names the recipe: an image made from another one is not used. */
function recipeHash(suite: Suite): string {
  return createHash('sha256')
    .update(JSON.stringify([packages, repmgr[suite], finish]))
    .digest('hex')
    .slice(0, 12)
}

async function build(suite: Suite, target: string, log: (line: string) => void): Promise<void> {
  const started = performance.now()
  log(`building the ${suite} image with mmdebstrap (about a minute, once)`)
  const mirror = await findMirror()
  const work = join(imagesDir, `.build-${suite}`)
  rmSync(work, { recursive: true, force: true }) // what an interrupted build left: we hold the lock
  mkdirSync(work, { recursive: true })
  const consul = await downloadConsul(mirror, join(work, 'consul'))
  const result = await execa(
    'mmdebstrap',
    [
      '--variant=minbase',
      `--include=${[...packages, repmgr[suite]].join(',')}`,
      `--keyring=${mirror.keyring}`,
      '--dpkgopt=force-unsafe-io',
      '--aptopt=Acquire::Languages "none"',
      ...mirror.options.map((option) => `--aptopt=${option}`),
      `--customize-hook=cp "${consul}" "$1/consul.deb"`,
      `--customize-hook=${finish}`,
      suite,
      join(work, 'root'),
      mirror.uri,
    ],
    { all: true, reject: false, timeout: 900_000, env: { LC_ALL: 'C.UTF-8' } },
  )
  writeFileSync(join(imagesDir, `${suite}.log`), result.all)
  if (result.failed) {
    const end = result.all.split('\n').slice(-15).join('\n')
    throw new Error(`mmdebstrap could not build the ${suite} image (${imagesDir}/${suite}.log):\n${end}`)
  }
  rmSync(join(work, 'consul'), { recursive: true })
  renameSync(work, target)
  log(`the image is built (${((performance.now() - started) / 1000).toFixed(0)} s)`)
}

/** Removes images of older recipes that no lab is laid over any more. */
function prune(suite: Suite, keep: string): void {
  const used = new Set([keep, ...allLabs().map((lab) => lab.image)])
  for (const entry of readdirSync(imagesDir)) {
    const image = join(imagesDir, entry)
    if (entry.startsWith(`${suite}-`) && !used.has(join(image, 'root'))) {
      rmSync(image, { recursive: true, force: true })
    }
  }
}

/** The root file system of a suite, built when there is none of the present recipe. */
export async function ensureImage(suite: Suite, log: (line: string) => void): Promise<string> {
  const directory = join(imagesDir, `${suite}-${recipeHash(suite)}`)
  const root = join(directory, 'root')
  if (existsSync(root)) return root
  await withLock(join(imagesDir, `${suite}.lock`), 900_000, async () => {
    if (existsSync(root)) return
    await build(suite, directory, log)
    prune(suite, root)
  })
  return root
}
