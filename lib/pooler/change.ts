import { changeDocument } from '../consul/change-document.ts'
import type { Consul } from '../consul/client.ts'
import { consulKeys, type Pooled } from '../consul/manifest.ts'
import { usageError } from '../core/errors.ts'
import { databaseProblem, settingProblem } from './settings.ts'

const NOTHING: Pooled = { schema: 1, databases: [], settings: {} }

/** The document with these databases. @throws where one of them cannot be behind PgBouncer. */
export function withDatabases(pooled: Pooled, names: readonly string[]): Pooled {
  const wrong = names.map(databaseProblem).find((problem) => problem !== null)
  if (wrong) throw usageError(wrong)
  return { ...pooled, databases: [...new Set([...pooled.databases, ...names])] }
}

/** The document without this database. @throws where it is not in there. */
export function withoutDatabase(pooled: Pooled, name: string): Pooled {
  if (!pooled.databases.includes(name)) {
    const names = pooled.databases.join(', ') || 'none'
    throw usageError(`${name} cannot be removed; the databases that can are: ${names}`)
  }
  return { ...pooled, databases: pooled.databases.filter((other) => other !== name) }
}

/** The document with these settings; one without a value gets its default again. @throws where one is wrong. */
export function withSettings(pooled: Pooled, changes: Readonly<Record<string, string>>): Pooled {
  const chosen = Object.entries(changes).filter(([, value]) => value !== '')
  const wrong = chosen.map(([name, value]) => settingProblem(name, value)).find((problem) => problem !== null)
  if (wrong) throw usageError(wrong)
  const kept = Object.entries(pooled.settings).filter(([name]) => !Object.hasOwn(changes, name))
  return { ...pooled, settings: Object.fromEntries([...kept, ...chosen]) }
}

/** Changes what is behind PgBouncer, see {@link changeDocument}. */
export async function changePooled(consul: Consul, change: (pooled: Pooled) => Pooled): Promise<void> {
  const about = { what: 'the settings of PgBouncer', empty: NOTHING }
  await changeDocument(consul, consulKeys.pooled, about, (pooled) => ({ document: change(pooled) }))
}
