import { readdirSync } from 'node:fs'
import { readText } from '../core/atomic-files.ts'
import { EXIT, UnderstudyError } from '../core/errors.ts'
import type { BrokerData } from './decide.ts'
import { rabbitmqPaths } from './manifest.ts'

/** Release series of the broker that is installed here, such as 4.0. */
export function installedSeries(): string {
  const found = filesIn(rabbitmqPaths.versions).flatMap(
    (file) => /^rabbitmq_server-(\d+\.\d+)\./.exec(file)?.[1] ?? [],
  )
  if (found[0] === undefined)
    throw new UnderstudyError(EXIT.config, `there is no RabbitMQ in ${rabbitmqPaths.versions}`)
  return found[0]
}

/** What is in the data directory of this machine's broker. */
export function readData(node: string): BrokerData {
  if (filesIn(rabbitmqPaths.data(node)).length === 0) return { state: 'blank' }
  const incarnation = readText(rabbitmqPaths.mark(node))?.trim()
  return incarnation === undefined ? { state: 'unmarked' } : { state: 'marked', incarnation }
}

/** The names in a directory; none where there is no such directory. */
function filesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
