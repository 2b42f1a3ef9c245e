/** The file system that a machine keeps its databases on: a real one, of its own, that can be filled to the last block. */
import { type Door, runInside } from './exec.ts'

/** Where it is mounted inside. */
const MOUNT_POINT = '/var/lib/postgresql'
/** It takes no more of the host's disk than is written to it. */
const SIZE_GIB = 3
/** Filling may have to wait for what PostgreSQL is just writing. */
const FILL_MS = 120_000

/**
 * Part of a machine's start, in its directory, with its disk at merged/: makes the file system at the first start, with
 * what the image has there, and mounts it. The loop device goes with the last mount (a power cut included), and until it
 * has gone nobody else may have the file. Where there are no loop devices (in a container), the directory stays on the
 * machine's disk.
 */
export const mountDataDisk = `
data=merged${MOUNT_POINT}
if [ -e new ]; then
  rm -f data.img
  truncate --size ${SIZE_GIB}G data.img
  mkfs.ext4 -q -m 0 -E lazy_itable_init=1,lazy_journal_init=1 data.img
fi
if [ -e data.img ]; then
  patience=500
  while [ -n "$(losetup --noheadings --associated data.img)" ]; do
    patience=$((patience - 1))
    if [ "$patience" = 0 ]; then echo "the machine's data.img is still in use" >&2; exit 1; fi
    sleep 0.02
  done
  mkdir -p data
  if mount -o loop data.img data; then
    # Halves what a commit costs. Not every file system of a host can do it.
    losetup --direct-io=on "$(findmnt --noheadings --output SOURCE data)" 2>/dev/null || true
    if [ -e new ]; then cp --archive "$data/." data/; fi
    mount --move data "$data"
  elif [ -e new ]; then
    rm data.img
  else
    exit 1
  fi
fi
`

const fill = `set -eu
if ! mountpoint --quiet ${MOUNT_POINT}; then
  echo 'this machine has no file system of its own for ${MOUNT_POINT}: its host has no loop devices' >&2
  exit 1
fi
cd ${MOUNT_POINT}
free_blocks() { stat --file-system --format %a .; }
# In one piece, which costs the host nothing; then whatever is left, for as long as PostgreSQL gives blocks back.
fallocate --length "$(($(free_blocks) * $(stat --file-system --format %S .)))" .ballast 2>/dev/null || true
patience=100
until [ "$(free_blocks)" = 0 ]; do
  patience=$((patience - 1))
  if [ "$patience" = 0 ]; then echo "$(free_blocks) blocks are left" >&2; exit 1; fi
  dd if=/dev/zero of=.ballast bs=4096 oflag=append conv=notrunc,fsync status=none 2>/dev/null || true
done`

/** Takes every block that is left. Again and again is no error. */
export async function fillDataDisk(door: Door): Promise<void> {
  await runInside(door, ['sh', '-c', fill], { timeoutMs: FILL_MS })
}

/** Gives the blocks back. */
export async function freeDataDisk(door: Door): Promise<void> {
  await runInside(door, ['rm', '-f', `${MOUNT_POINT}/.ballast`])
}
