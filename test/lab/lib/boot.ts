/** Starting a machine: its disk, its cgroup, systemd-nspawn. */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { installClock } from './clock.ts'
import { dataDisks, mountDataDisks } from './data-disk.ts'
import { identify, type ProcessIdentity, run } from './host.ts'
import { addressOf, machineNamespacePath } from './network.ts'
import { keptMachine } from './snapshot.ts'
import { consulOf, type LabState, machineDir } from './state.ts'

/** A whole root file system, on a busy host. */
const COPY_MS = 300_000

/** Below the root of the cgroup v2 tree, so that a machine can be frozen as a whole. */
export const cgroupOf = (lab: string, machine: string): string => `understudy-lab/${lab}/${machine}`

/**
 * Runs in a mount namespace of its own, which ends with the machine: the host's mount table is never touched, and
 * there is nothing to clean up after a power cut. $1 machine directory, $2 the layers below its own disk, the uppermost first,
 * $3 cgroup, $4 system identifier; the rest is the command.
 * systemd 257 wants cgroup v2, so where the host has v1 or both, a v2 tree is laid over /sys/fs/cgroup.
 */
const bootScript = (lab: LabState): string => `set -eu
directory=$1 layers=$2 cgroup=/sys/fs/cgroup/$3 identifier=$4
shift 4
cd "$directory"
if [ -d tree ]; then
  mount --bind tree merged
else
  mount -t overlay understudy-lab -o "lowerdir=$layers,upperdir=upper,workdir=work,redirect_dir=on" merged
fi
${mountDataDisks(consulOf(lab))}
if [ -e new ]; then
  for data in merged/var/lib/postgresql/*/main; do
    printf "$identifier" | dd of="$data/global/pg_control" bs=8 conv=notrunc status=none
    inside=\${data#merged}
    version=\${inside%/main}
    chroot merged setpriv --reuid postgres --regid postgres --init-groups \\
      "/usr/lib/postgresql/\${version##*/}/bin/pg_resetwal" --force "$inside" >/dev/null 2>&1
  done
  rm new
fi
if [ -e clocks ]; then
  ${installClock}
  rm clocks
fi
if [ "$(stat --file-system --format %T /sys/fs/cgroup)" != cgroup2fs ]; then
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
fi
if [ -d "$cgroup" ]; then find "$cgroup" -depth -type d -exec rmdir {} +; fi
mkdir -p "$cgroup"
echo $$ >"$cgroup/cgroup.procs"
mkdir -p /run/systemd/nspawn
mount -t tmpfs tmpfs /run/systemd/nspawn
exec "$@"
`

/** Wraps a command so that it runs in a private mount namespace which still sees the host's unmounts. */
export const privately = (script: string, argv: readonly string[]): string[] => [
  ...['unshare', '--mount', '--propagation', 'slave'],
  ...['sh', '-c', script, 'understudy-lab', ...argv],
]

/** Makes a machine's disk, when it has none: an overlay, or a full copy where the state lies on an overlay itself. */
export async function ensureDisk(lab: LabState, number: number): Promise<void> {
  const machine = `n${number}`
  const directory = machineDir(lab.name, machine)
  if (existsSync(join(directory, 'ready'))) return
  const nested = (await run(['stat', '--file-system', '--format', '%T', lab.image])) === 'overlayfs'
  for (const part of ['merged', 'work']) mkdirSync(join(directory, part), { recursive: true })
  const disk = join(directory, nested ? 'tree' : 'upper')
  rmSync(disk, { recursive: true, force: true }) // what an interrupted start left
  const kept = keptMachine(lab, machine)
  if (nested) await copy(kept === undefined ? lab.image : join(kept, 'tree'), disk)
  else mkdirSync(disk)
  if (kept === undefined) firstDisk(machine, directory, disk)
  else
    for (const { image } of Object.values(dataDisks))
      if (existsSync(join(kept, image))) await copy(join(kept, image), join(directory, image))
  if (lab.clocks) writeFileSync(join(directory, 'clocks'), '')
  writeFileSync(join(directory, 'ready'), '')
}

/** Copies a tree or a file, holes and all. */
async function copy(from: string, to: string): Promise<void> {
  await run(['cp', '--archive', '--reflink=auto', '--sparse=always', from, to], '', COPY_MS)
}

/** What makes a machine of an image: a name, an identity, and a mark that PostgreSQL's data is not its own yet. */
function firstDisk(machine: string, directory: string, disk: string): void {
  mkdirSync(join(disk, 'etc'), { recursive: true })
  const names = [1, 2, 3, 4, 5].map((other) => `${addressOf(other)} n${other}`)
  writeFileSync(join(disk, 'etc/hostname'), `${machine}\n`)
  writeFileSync(join(disk, 'etc/hosts'), `127.0.0.1 localhost\n::1 localhost\n${names.join('\n')}\n`)
  writeFileSync(join(disk, 'etc/machine-id'), `${randomBytes(16).toString('hex')}\n`)
  writeFileSync(join(directory, 'new'), '')
}

/** The directories below a machine's own layer: what it began as, and the image. */
function layersOf(lab: LabState, machine: string): string {
  const kept = keptMachine(lab, machine)
  return [...(kept === undefined ? [] : [join(kept, 'upper')]), lab.image].join(':')
}

/**
 * A PostgreSQL system identifier as initdb makes it, as printf escapes in memory order. All disks start from one
 * image, but real machines that were installed one by one have unrelated clusters, and mixing those up must fail.
 */
function systemIdentifier(): string {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(
    (BigInt(Math.floor(Date.now() / 1000)) << 32n) | BigInt(randomBytes(4).readUInt32LE()),
  )
  return Array.from(bytes, (byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('')
}

/** A machine may set its own network's sysctls; those of the host's kernel stay out of reach. */
const nspawnSettings = { SYSTEMD_NSPAWN_API_VFS_WRITABLE: 'network' }

/** Starts a machine that is off and gives its nspawn's identity at once; systemd inside is still booting then. */
export function boot(lab: LabState, machine: string): ProcessIdentity {
  const directory = machineDir(lab.name, machine)
  const nspawn = [
    ...['systemd-nspawn', '--boot', '--quiet', '--register=no', '--keep-unit', '--directory=merged'],
    ...[`--machine=us-${lab.name}-${machine}`, `--hostname=${machine}`],
    `--network-namespace-path=${machineNamespacePath(lab.name, machine)}`,
    '--capability=CAP_NET_ADMIN,CAP_NET_RAW,CAP_IPC_LOCK',
    ...['--resolv-conf=off', '--timezone=off', '--link-journal=no', '--console=read-only'],
  ]
  const [file = '', ...argv] = privately(bootScript(lab), [
    directory,
    layersOf(lab, machine),
    cgroupOf(lab.name, machine),
    systemIdentifier(),
    ...nspawn,
  ])
  const log = openSync(join(directory, 'console.log'), 'a')
  const { PATH = '/usr/sbin:/usr/bin:/sbin:/bin' } = process.env
  const child = spawn(file, argv, {
    detached: true,
    stdio: ['ignore', log, log],
    env: { PATH, ...nspawnSettings },
  })
  child.unref()
  const identity = child.pid === undefined ? undefined : identify(child.pid)
  if (identity === undefined) throw new Error(`${machine} did not start: see ${directory}/console.log`)
  return identity
}

/**
 * Removes the cgroups that machines leave. What still runs in them is ours, also where nothing recorded it (an `up`
 * that was killed just then), and is ended.
 */
export async function removeCgroup(path: string): Promise<void> {
  const script = `set -eu
if [ "$(stat --file-system --format %T /sys/fs/cgroup)" != cgroup2fs ]; then
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
fi
cd /sys/fs/cgroup
if [ -d "$1" ]; then
  echo 1 >"$1/cgroup.kill"
  while grep -q 'populated 1' "$1/cgroup.events"; do sleep 0.02; done
  find "$1" -depth -type d -exec rmdir {} +
fi
rmdir understudy-lab 2>/dev/null || true`
  await run(privately(script, [path]))
}
