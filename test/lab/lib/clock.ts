/**
 * A machine's wall clock. All machines have the clock of the host's kernel, so the programs of one machine are told
 * another time: libfaketime, preloaded into whatever its systemd starts. Programs that ask the kernel themselves go on
 * seeing the host's time: Consul, as everything in Go, and systemd, which does the preloading (so the journal's times are
 * right). What Consul starts sees the machine's.
 */
import { type Door, runInside } from './exec.ts'

/** Holds how far the clock is off, and like a real clock's error it outlives the power. */
const OFFSET_FILE = '/etc/lab-clock'

/** They wait for absolute times on clocks of their own choice, which libfaketime mixes up: then they end with an error. */
const skipped = [
  ...['systemd-journald', 'systemd-logind', 'systemd-udevd', 'systemd-networkd', 'systemd-run'],
  ...['systemctl', 'journalctl', 'busctl', 'loginctl'],
  'polkitd', // that of Debian 12 takes its rules for scripts that never end, and refuses everything
]

/**
 * What makes a process see the machine's clock. Only the time of day is moved, not what time-outs are measured with. The
 * offset is read once in every second of the right time (which is what a cache of 0 seconds means). Nothing is shared
 * between processes: their users differ.
 */
export const clockEnvironment: Readonly<Record<string, string>> = {
  LD_PRELOAD: '/usr/$LIB/faketime/libfaketime.so.1', // the loader knows the architecture's directory
  FAKETIME_TIMESTAMP_FILE: OFFSET_FILE,
  FAKETIME_CACHE_DURATION: '0',
  FAKETIME_DONT_FAKE_MONOTONIC: '1',
  FAKETIME_DISABLE_SHM: '1',
  FAKETIME_SKIP_CMDS: skipped.join(','),
}

const variables = Object.entries(clockEnvironment)

/**
 * Part of a machine's first start, in its directory, with its disk at merged/: the disk gets a clock that can be moved.
 * Debian starts PostgreSQL with an environment of its own, which has a file.
 */
export const installClock = `
echo +0 >merged${OFFSET_FILE}
mkdir -p merged/etc/systemd/system.conf.d
cat >merged/etc/systemd/system.conf.d/lab-clock.conf <<'end'
[Manager]
DefaultEnvironment=${variables.map(([name, value]) => `"${name}=${value}"`).join(' ')}
end
for file in merged/etc/postgresql/*/main/environment; do
  cat >>"$file" <<'end'
${variables.map(([name, value]) => `${name} = '${value}'`).join('\n')}
end
done
`

/** How long it takes until every process of a machine has noticed. */
const NOTICE_MS = 1_500

/** Sets how far a machine's clock is ahead (behind, where negative), and returns when everybody has to see it. */
export async function setClock(door: Door, seconds: number): Promise<void> {
  if (!Number.isFinite(seconds)) throw new Error(`a clock moves by a number of seconds, not by "${seconds}"`)
  const offset = `${seconds < 0 ? '' : '+'}${seconds}\n`
  const script = 'cat >"$1.new" && mv "$1.new" "$1"'
  await runInside(door, ['sh', '-c', script, 'clock', OFFSET_FILE], { input: offset })
  await new Promise((resolve) => setTimeout(resolve, NOTICE_MS))
}
