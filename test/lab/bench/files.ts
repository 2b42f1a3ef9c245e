/** How long a confirmed upload takes, beside rsync over the same link. */
import { type ChildProcess, spawn } from 'node:child_process'
import { waitFor } from '../../../lib/core/wait.ts'
import { RESOURCES } from '../lib/files.ts'
import type { Suite } from '../lib/state.ts'
import { type TimeSpread, timeSpreadOf } from './gap.ts'
import { Stage } from './stage.ts'

export interface FilesResult {
  readonly bytes: number
  readonly put: TimeSpread
  /** To both of the others at the same time, written to their disks as well. */
  readonly rsync: TimeSpread
  readonly goalMs: number
  readonly goalMet: boolean
}

const BYTES = 1_000_000
const GOAL_MS = 3000
const RSYNC = `[bench]
path = /var/tmp/bench
uid = root
gid = root
read only = no
use chroot = no
`

/** A command's time by the machine's own clock, in milliseconds. */
const timed = (command: string): string =>
  `t=$(date +%s%N); ${command} >&2; echo $(( ($(date +%s%N) - t) / 1000 ))`

/** Each time a new file, first by `understudy files put` to all, then by rsync. */
export async function benchFiles(options: {
  readonly runs: number
  readonly suite: Suite
  readonly log: (line: string) => void
}): Promise<FilesResult> {
  const { runs, suite, log } = options
  const { lab } = await Stage.build(suite, log)
  const [source, ...targets] = lab.machines
  if (source === undefined) throw new Error('there is no machine')
  const measure = async (command: string): Promise<number> => {
    const { stdout } = await lab.exec(source.name, ['sh', '-euc', timed(command)])
    return Number(stdout) / 1000
  }
  const daemons: ChildProcess[] = []
  try {
    for (const { name } of targets) {
      await lab.exec(name, ['sh', '-euc', 'mkdir -p /var/tmp/bench; cat > /var/tmp/rsync.conf'], {
        input: RSYNC,
      })
      const argv = ['rsync', '--daemon', '--no-detach', '--config=/var/tmp/rsync.conf']
      const [file = '', ...args] = lab.execCommand(name, argv)
      daemons.push(spawn(file, args, { stdio: 'ignore' }))
    }
    const urls = targets.map(({ address }) => `rsync://${address}/bench/`)
    for (const url of urls) {
      const look = () => lab.exec(source.name, ['rsync', url], { reject: false })
      await waitFor(`${url} answers`, 10_000, async () => (await look()).exitCode === 0 || null)
    }
    const [put, rsync]: [number[], number[]] = [[], []]
    for (let run = 0; run < runs; run++) {
      const file = `/var/tmp/upload-${run}`
      await lab.exec(source.name, ['sh', '-euc', `head -c ${BYTES} /dev/urandom > ${file}`])
      put.push(await measure(`understudy files put ${file} ${RESOURCES}/ --min-copies all`))
      rsync.push(await measure(`for url in ${urls.join(' ')}; do rsync --fsync ${file} $url & done; wait`))
      log(
        `${run + 1}/${runs}: put ${Math.round(put.at(-1) ?? 0)} ms, rsync ${Math.round(rsync.at(-1) ?? 0)} ms`,
      )
    }
    const spread = timeSpreadOf(put)
    return {
      ...{ bytes: BYTES, put: spread, rsync: timeSpreadOf(rsync), goalMs: GOAL_MS },
      goalMet: spread.medianMs < GOAL_MS,
    }
  } finally {
    for (const daemon of daemons) daemon.kill('SIGKILL')
  }
}
