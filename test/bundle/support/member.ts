/**
 * A member of a cluster in namespaces of its own on this host: its own network (so that no Consul but ours can answer),
 * its own /etc/understudy, /run and /tmp, everything else read-only, and a systemctl that only writes down what it is
 * asked. Needs root.
 */
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { settings } from '../../unit/support/settings.ts'
import { built, type Ended, type RunOptions, repository, run, scripts } from './handlers.ts'

/** How Consul is away: nothing listens, or something does and never says a word. */
export type Away = 'refuses' | 'silent'

/** Why these tests cannot run here, or false. */
export const cannotRun =
  (process.getuid?.() !== 0 && 'namespaces need root') ||
  (!['/usr/sbin/ip', '/sbin/ip', '/usr/bin/ip'].some((path) => existsSync(path)) && 'needs iproute2')

/** $1: the temporary directory; the rest: what to run. */
const ENTER = `
ip link set lo up
mount -n -t overlay -o "lowerdir=$1/usr:/usr" overlay /usr
mount -n -t overlay -o "lowerdir=$1/etc:/etc" overlay /etc
mount -n --bind "$1/run" /run
mount -n --bind "$1/tmp" /tmp
mount -n -o remount,bind,ro /
shift
exec "$@"
`

const SYSTEMCTL = `#!/bin/sh
case $1 in
  show) echo inactive ;;
  *) echo "$*" >> /run/asked ;;
esac
`

const HANDLERS = '/usr/lib/understudy/handlers'

/** One such machine, with the files that its boot makes (packaging/tmpfiles.conf). */
export class Member {
  readonly #directory = mkdtempSync(join(tmpdir(), 'understudy-member-'))
  readonly #consul: Away

  constructor({
    consul = 'refuses',
    node = JSON.stringify(settings),
  }: { consul?: Away; node?: string } = {}) {
    this.#consul = consul
    for (const path of ['etc/understudy', 'usr/bin', 'tmp', 'run/postgresql']) this.#make(path)
    for (const path of ['lock', 'pgbouncer', 'keepalived', 'database', 'command'])
      this.#make(`run/understudy/${path}`)
    cpSync(built, this.#path('usr/lib/understudy/handlers'), { recursive: true })
    for (const [name, file] of Object.entries(scripts)) {
      const script = this.#path(`usr/lib/understudy/handlers/${name}`)
      cpSync(join(repository, 'packaging', file), script)
      chmodSync(script, 0o755)
    }
    cpSync(join(repository, 'packaging/ask.pl'), this.#path('usr/lib/understudy/ask.pl'))
    // What a shell script calls is run by its shebang.
    if (process.execPath !== '/usr/bin/node') symlinkSync(process.execPath, this.#path('usr/bin/node'))
    cpSync(join(repository, 'dist/understudy'), this.#path('usr/lib/understudy'), { recursive: true })
    const silent = fileURLToPath(new URL('silent-consul.mjs', import.meta.url))
    cpSync(silent, this.#path('usr/lib/understudy/silent-consul.mjs'))
    writeFileSync(this.#path('usr/bin/systemctl'), SYSTEMCTL)
    chmodSync(this.#path('usr/bin/systemctl'), 0o755)
    writeFileSync(this.#path('etc/understudy/node.json'), node)
    this.write('pgbouncer/databases.ini', '[databases]\napp = host=10.77.0.12 port=5432 dbname=app\n')
    this.write('keepalived/weight', '100\n')
  }

  #path(path: string): string {
    return join(this.#directory, path)
  }

  #make(path: string): void {
    mkdirSync(this.#path(path), { recursive: true })
  }

  /** Writes a file below /run/understudy. */
  write(path: string, text: string): void {
    writeFileSync(this.#path(`run/understudy/${path}`), text)
  }

  /** Removes a file below /run/understudy. */
  drop(path: string): void {
    rmSync(this.#path(`run/understudy/${path}`))
  }

  read(path: string): string {
    return readFileSync(this.#path(`run/understudy/${path}`), 'utf8')
  }

  /** Runs a handler on the machine. */
  handler(name: string, args: readonly string[] = [], options?: RunOptions): Promise<Ended> {
    return this.#run([`${HANDLERS}/${name}`, ...args], options)
  }

  /** Runs the operator's command on the machine. */
  understudy(args: readonly string[]): Promise<Ended> {
    return this.#run(['/usr/lib/understudy/understudy.mjs', ...args])
  }

  #run(script: readonly string[], options?: RunOptions): Promise<Ended> {
    const [file, ...args] = this.command(script)
    return run(file ?? '', args, options)
  }

  /** The command line that runs one of our scripts on the machine, from outside. It becomes that script: signals reach it. */
  command(script: readonly string[]): string[] {
    const silent = [process.execPath, '/usr/lib/understudy/silent-consul.mjs']
    const file = Object.entries(scripts).find(([name]) => script[0] === `${HANDLERS}/${name}`)?.[1]
    const interpreter =
      file === undefined ? process.execPath : file.endsWith('.sh') ? '/bin/sh' : '/usr/bin/perl'
    return [
      ...['/usr/bin/unshare', '--mount', '--net', '--propagation', 'private'],
      ...['/bin/sh', '-euc', ENTER, 'member', this.#directory],
      ...(this.#consul === 'silent' ? silent : []),
      ...[interpreter, ...script],
    ]
  }

  /** What systemd was asked to do, one line each. */
  asked(): string[] {
    const path = this.#path('run/asked')
    return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : []
  }

  /** Everything that a handler can change on the machine: files with their mode, time and text. */
  state(): string[] {
    return ['run', 'tmp'].flatMap((top) =>
      (readdirSync(this.#path(top), { recursive: true }) as string[]).sort().map((path) => {
        const file = this.#path(`${top}/${path}`)
        const { mode, mtimeMs } = statSync(file)
        return statSync(file).isFile()
          ? [top, path, mode, mtimeMs, readFileSync(file, 'utf8')].join(' ')
          : [top, path, mode].join(' ')
      }),
    )
  }

  remove(): void {
    rmSync(this.#directory, { recursive: true })
  }
}
