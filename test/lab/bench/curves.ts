/** What a cluster can have more of, and how it comes to have it. */
import { waitFor } from '../../../lib/core/wait.ts'
import { poolerTarget } from '../lib/cluster.ts'
import { files, RESOURCES } from '../lib/files.ts'
import { CREATE_TABLE } from '../lib/writer.ts'
import type { Stage } from './stage.ts'

export interface Curve {
  readonly name: string
  /** What there are so many of, for a person. */
  readonly title: string
  readonly sizes: readonly number[]
  /** Lets a cluster have so many, also where it has them already; null: a cluster begins with them. */
  readonly grow: ((stage: Stage, size: number) => Promise<void>) | null
}

const CREATE_MS = 600_000
const POOLER_MS = 90_000
const REGISTER_MS = 120_000
const CATALOGUE_MS = 180_000
const SYNC_MS = 3_600_000
/** Of one command that waits. */
const WAIT_S = 240
const FILES_PER_DIRECTORY = 1000

/** All of them with a table, as one that nobody has ever used costs PostgreSQL nothing. The first one is join's. */
async function growDatabases(stage: Stage, size: number): Promise<void> {
  if (size === 1) return
  const { lab } = stage
  const { primary } = await stage.untilHealthy()
  const names = Array.from({ length: size - 1 }, (_, index) => `scale_${index + 2}`)
  const statements = names.flatMap((name) => [
    `select 'create database ${name} owner app' where not exists (select from pg_database where datname = '${name}')\\gexec`,
    `\\connect ${name}`,
    `${CREATE_TABLE};`,
  ])
  const psql = ['runuser', '-u', 'postgres', '--', 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', 'postgres']
  await lab.exec(primary, psql, { input: statements.join('\n'), timeoutMs: CREATE_MS })
  await lab.exec(primary, ['understudy', 'databases', 'add', ...names])
  for (const { name } of lab.machines)
    await waitFor(`the PgBouncer of ${name} has ${size} databases`, POOLER_MS, async () => {
      const targets = await Promise.all([names[0], names.at(-1)].map((one) => poolerTarget(lab, name, one)))
      return targets.every((target) => target !== '') || null
    })
}

/** $1: the first, $2: the step, $3: the last. The check of each says something else every time, as that of many services does: here the order varies. */
const REGISTER = `registered=$(curl -sSf http://127.0.0.1:8500/v1/agent/services | grep -o '"scale-[0-9]*":' | wc -l)
[ "$registered" -lt "$(seq "$@" | wc -l)" ] || exit 0
for number in $(seq "$@"); do
  curl -sSf -X PUT http://127.0.0.1:8500/v1/agent/service/register --data @- <<JSON
{"Name": "scale-$number", "Port": 80, "Check": {"HTTP": "http://127.0.0.1:8500/v1/agent/members", "Interval": "60s", "Status": "passing"}}
JSON
done`
const COUNT_PASSING = `curl -sSf http://127.0.0.1:8500/v1/health/state/passing | grep -o '"ServiceName": *"scale-' | wc -l`

/** Services of the operator in our Consul, each on one of the machines. */
async function growServices({ lab }: Stage, size: number): Promise<void> {
  const { machines } = lab
  await Promise.all(
    machines.map(({ name }, index) =>
      lab.exec(
        name,
        ['sh', '-euc', REGISTER, 'register', ...[index + 1, machines.length, size].map(String)],
        {
          timeoutMs: REGISTER_MS,
        },
      ),
    ),
  )
  const [{ name: asked = '' } = {}] = machines
  await waitFor(`${size} services pass`, CATALOGUE_MS, async () => {
    const { stdout } = await lab.exec(asked, ['sh', '-c', COUNT_PASSING])
    if (Number(stdout) === size) return true
    throw new Error(`${stdout.trim()} pass`)
  })
}

/** $1: directory, $2: how many directories in it, $3: how many files in each of these. */
const CREATE_FILES = `for number in $(seq "$2"); do
  [ ! -d "$1/$number" ] || continue
  mkdir -p "$1/$number"
  for file in $(seq "$3"); do printf '%1000s\\n' "$number/$file" > "$1/$number/$file"; done
done`

/** Files of 1 kB in the first replicated folder, which all machines have confirmed. */
async function growFiles({ lab }: Stage, size: number): Promise<void> {
  const [{ name: first = '' } = {}] = lab.machines
  const sizes = [size / FILES_PER_DIRECTORY, FILES_PER_DIRECTORY].map(String)
  await lab.exec(first, ['sh', '-euc', CREATE_FILES, 'create', `${RESOURCES}/scale`, ...sizes], {
    timeoutMs: CREATE_MS,
  })
  const wait = ['wait', '--min-copies', 'all', '--timeout', String(WAIT_S)]
  await waitFor(`all machines have ${size} files`, SYNC_MS, async () => {
    const { exitCode, stderr } = await files(lab, first, wait)
    if (exitCode === 0) return true
    throw new Error(stderr)
  })
}

export const curves: readonly Curve[] = [
  { name: 'machines', title: 'machines', sizes: [3, 5, 7], grow: null },
  { name: 'databases', title: 'databases', sizes: [1, 10, 100], grow: growDatabases },
  { name: 'services', title: 'registered services', sizes: [0, 100, 1000], grow: growServices },
  { name: 'files', title: 'replicated files', sizes: [0, 10_000, 100_000], grow: growFiles },
]
