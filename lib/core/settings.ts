import { readFileSync } from 'node:fs'
import * as v from 'valibot'
import { EXIT, UnderstudyError } from './errors.ts'
import { paths } from './paths.ts'
import { keepQuestion } from './questions.ts'

/** What a part is that a cluster has only where somebody asks for it. */
export const partMode = v.picklist(['local', 'clustered'])

/** What a member knows about itself without asking anyone. Written by join to {@link paths.node}. */
const settings = v.object({
  schema: v.literal(1),
  node: v.string(),
  machineId: v.string(),
  address: v.pipe(v.string(), v.ipv4()),
  /** Carries the virtual IP. */
  interface: v.string(),
  /** Network of the members, ADDRESS/PREFIX: who may connect to PostgreSQL. */
  network: v.string(),
  kvPrefix: v.string(),
  /** ADDRESS/PREFIX; null where the cluster has none. */
  virtualIp: v.nullable(v.string()),
  /** Called when the primary changes: absolute path of a program. */
  virtualIpCommand: v.exactOptional(v.string()),
  repmgrId: v.number(),
  vipPriority: v.number(),
  database: v.string(),
  user: v.string(),
  postgresqlVersion: v.number(),
  postgresqlPort: v.number(),
  /** What RabbitMQ is in this cluster; without it the cluster has none. */
  rabbitmq: v.exactOptional(partMode),
  /** What its search servers are; without it the cluster has none. */
  search: v.exactOptional(partMode),
  /** Their unit and their directory of settings, where these are not found. */
  searchUnit: v.exactOptional(v.string()),
  searchConfig: v.exactOptional(v.string()),
})
export type Settings = v.InferOutput<typeof settings>

/** @returns this member's settings, or null where the machine has not joined. @throws on a file that is not ours. */
export function readSettings(path: string = paths.node): Settings | null {
  let text: string
  keepQuestion('file', path)
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw new UnderstudyError(EXIT.config, `could not read ${path}`, { cause })
  }
  try {
    return v.parse(settings, JSON.parse(text))
  } catch (cause) {
    throw new UnderstudyError(
      EXIT.data,
      `${path} does not hold this machine's settings; run understudy join again`,
      { cause },
    )
  }
}

/** @throws one clear sentence where the machine has not joined. */
export function requireSettings(): Settings {
  const found = readSettings()
  if (found) return found
  throw new UnderstudyError(
    EXIT.config,
    'this machine is not a member of a cluster; run understudy join first',
  )
}
