import type { DurabilityMode } from '../consul/manifest.ts'
import type { CheckPlan } from '../core/component.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'

/** A setting that decides whether an acknowledged commit is on disk, in effect for the whole server or for some of its clients. */
export interface CommitSetting {
  name: 'fsync' | 'full_page_writes' | 'synchronous_commit'
  value: string
  /** The server: the file that sets it, or null if it is set elsewhere. */
  file?: string | null
  /** Some clients: what is in their way, as in ALTER ... RESET: `role app in database app`. */
  of?: string
}

/** remote_write is not among them: the standby's operating system has it, but no disk. */
const SAFE = ['on', 'true', 'yes', '1', 'remote_apply']

/** Those under which a commit may be acknowledged before it is on disk, here and on enough standbys. */
export const unsafeOf = (settings: readonly CommitSetting[]): CommitSetting[] =>
  settings.filter(({ value }) => !SAFE.includes(value.toLowerCase()))

/**
 * What a person should know of unsafe settings, a sentence each. In mode `async` commits wait for no standby anyway; then
 * synchronous_commit is for the operator to choose. That is also taken to be so where the mode is not known.
 */
export function settingProblems(unsafe: readonly CommitSetting[], mode: DurabilityMode | Unknown): string[] {
  const chosen = mode === 'async' || mode === UNKNOWN
  return unsafe
    .filter(({ name }) => !(chosen && name === 'synchronous_commit'))
    .map((setting) => `${consequenceOf(setting)}; ${remedyFor(setting)}`)
}

function consequenceOf({ name, value, of }: CommitSetting): string {
  const what = `${name} is ${value}${of === undefined ? '' : ` for ${of}`}`
  if (name === 'synchronous_commit') return `${what}: acknowledged commits may be lost`
  return `${what}: a power cut may lose acknowledged commits or make the data unusable`
}

function remedyFor({ name, file, of }: CommitSetting): string {
  if (of !== undefined) return `run "alter ${of} reset ${name}"`
  if (file?.endsWith('/postgresql.auto.conf')) return `run "alter system reset ${name}" and reload PostgreSQL`
  return `remove it from ${file ?? "PostgreSQL's command line"} and reload PostgreSQL`
}

export interface SettingFacts {
  /** Unknown if PostgreSQL does not answer, which another line says. */
  settings: readonly CommitSetting[] | Unknown
  mode: DurabilityMode | Unknown
}

/** Nothing is repaired: whoever has set it may have had a reason, and must know. */
export function decideSettingsCheck({ settings, mode }: SettingFacts): CheckPlan {
  if (settings === UNKNOWN) return { do: 'nothing', why: 'PostgreSQL does not answer', problems: [] }
  const problems = settingProblems(unsafeOf(settings), mode)
  return { do: 'nothing', why: problems[0] ?? 'acknowledged commits are on disk', problems }
}
