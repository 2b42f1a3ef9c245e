/** The file systems of its own that a machine has: real ones, that can be filled to the last block. */
import { type Door, runInside } from './exec.ts'
import { run } from './host.ts'
import type { ConsulPackage } from './state.ts'

interface DataDisk {
  /** Its file in the machine's directory. It takes no more of the host's disk than is written to it. */
  readonly image: string
  /** Where it is mounted inside, by the package that Consul is from. */
  readonly mountPoint: Readonly<Record<ConsulPackage, string>>
  readonly size: string
}

export const dataDisks = {
  databases: {
    image: 'data.img',
    mountPoint: { debian: '/var/lib/postgresql', hashicorp: '/var/lib/postgresql' },
    size: '3G',
  },
  consul: {
    image: 'consul.img',
    mountPoint: { debian: '/var/lib/consul', hashicorp: '/opt/consul' },
    size: '256M',
  },
} as const satisfies Record<string, DataDisk>

export type DataDiskName = keyof typeof dataDisks
export const dataDiskNames = Object.keys(dataDisks) as DataDiskName[]

/** Filling may have to wait for what is just being written. */
const FILL_MS = 120_000

/**
 * Part of a machine's start, in its directory, with its disk at merged/: makes each file system at the first start, with
 * what the image has there, and mounts it. The loop device goes with the last mount (a power cut included), and until it
 * has gone nobody else may have the file. Where there are no loop devices (in a container), the directory stays on the
 * machine's disk.
 */
export const mountDataDisks = (consul: ConsulPackage): string =>
  Object.values(dataDisks)
    .map((disk) => mountDataDisk(disk, consul))
    .join('')

function mountDataDisk({ image, mountPoint, size }: DataDisk, consul: ConsulPackage): string {
  return `
data=merged${mountPoint[consul]}
if [ -e new ]; then
  mkdir -p "$data"
  rm -f ${image}
  truncate --size ${size} ${image}
  mkfs.ext4 -q -m 0 -E lazy_itable_init=1,lazy_journal_init=1 ${image}
fi
if [ -e ${image} ]; then
  patience=500
  while [ -n "$(losetup --noheadings --associated ${image})" ]; do
    patience=$((patience - 1))
    if [ "$patience" = 0 ]; then echo "the machine's ${image} is still in use" >&2; exit 1; fi
    sleep 0.02
  done
  mkdir -p data
  if mount -o loop ${image} data; then
    # Halves what a commit costs. Not every file system of a host can do it.
    losetup --direct-io=on "$(findmnt --noheadings --output SOURCE data)" 2>/dev/null || true
    if [ -e new ]; then cp --archive "$data/." data/; fi
    mount --move data "$data"
  elif [ -e new ]; then
    rm ${image}
  else
    exit 1
  fi
fi
`
}

/** What is done to a directory that is no file system of its own would be done to the host's. */
const onlyThere = (mountPoint: string): string => `set -eu
if ! mountpoint --quiet ${mountPoint}; then
  echo 'this machine has no file system of its own for ${mountPoint}: its host has no loop devices' >&2
  exit 1
fi`

const fill = (mountPoint: string): string => `${onlyThere(mountPoint)}
cd ${mountPoint}
free_blocks() { stat --file-system --format %a .; }
# In one piece, which costs the host nothing; then whatever is left, for as long as the programs there give blocks back.
fallocate --length "$(($(free_blocks) * $(stat --file-system --format %S .)))" .ballast 2>/dev/null || true
patience=100
until [ "$(free_blocks)" = 0 ]; do
  patience=$((patience - 1))
  if [ "$patience" = 0 ]; then echo "$(free_blocks) blocks are left" >&2; exit 1; fi
  dd if=/dev/zero of=.ballast bs=4096 oflag=append conv=notrunc,fsync status=none 2>/dev/null || true
done`

/** Takes every block that is left. Again and again is no error. */
export async function fillDataDisk(door: Door, disk: DataDiskName, consul: ConsulPackage): Promise<void> {
  await runInside(door, ['sh', '-c', fill(dataDisks[disk].mountPoint[consul])], { timeoutMs: FILL_MS })
}

/** Gives the blocks back. */
export async function freeDataDisk(door: Door, disk: DataDiskName, consul: ConsulPackage): Promise<void> {
  await runInside(door, ['rm', '-f', `${dataDisks[disk].mountPoint[consul]}/.ballast`])
}

/** Lets everything that is written there wait, as a disk does that answers no more. */
export async function hangDataDisk(door: Door, disk: DataDiskName, consul: ConsulPackage): Promise<void> {
  const mountPoint = dataDisks[disk].mountPoint[consul]
  await runInside(door, ['sh', '-c', `${onlyThere(mountPoint)}\nfsfreeze --freeze ${mountPoint}`])
}

/**
 * Lets it go on; one that does not hang stays as it is.
 * @param pid of the machine's init: it need not be able to start a program.
 */
export async function resumeDataDisk(pid: number, disk: DataDiskName): Promise<void> {
  for (const mountPoint of new Set(Object.values(dataDisks[disk].mountPoint))) {
    const unfreeze = ['fsfreeze', '--unfreeze', mountPoint]
    await run(['nsenter', '--target', String(pid), '--mount', ...unfreeze]).catch(() => {})
  }
}
