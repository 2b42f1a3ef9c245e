import type { DurabilityMode } from '../consul/manifest.ts'
import type { CheckPlan } from '../core/component.ts'
import { UNKNOWN, type Unknown } from '../core/unknown.ts'
import { parametersIn, renderPostgresql } from './config.ts'
import { isEnough } from './decide-parameters.ts'

/** A setting in effect, for the whole server or for some of its clients. */
export interface SettingInEffect {
  name: string
  value: string
  /** The unit of a bare number; null or left out where it has none. */
  unit?: string | null
  /** The server: the file that sets it, or null if it is set elsewhere. */
  file?: string | null
  /** The server: nobody sets it. */
  default?: boolean
  /** The server: it is read at a start only. */
  restart?: boolean
  /** Some clients: what is in their way, as in ALTER ... RESET: `role app in database app`. */
  of?: string
}

const ours = parametersIn(renderPostgresql(0, 15))

/** The parameters that every member has alike. */
export const memberParameters: readonly string[] = [...ours.keys()].filter((name) => name !== 'port')

/**
 * Those that are not as a member needs them. Some are what a commit rests on: it may be acknowledged before it is on disk, here and on
 * enough standbys.
 */
export const unsafeOf = (settings: readonly SettingInEffect[]): SettingInEffect[] =>
  settings.filter(
    ({ name, value, unit = null }) =>
      !isEnough({ name, value: ours.get(name) ?? value }, { name, value, unit }, 'quorum'),
  )

/**
 * What a person should know of unsafe settings, a sentence each. In mode `async` commits wait for no standby anyway; then
 * synchronous_commit is for the operator to choose. That is also taken to be so where the mode is not known.
 */
export function settingProblems(
  unsafe: readonly SettingInEffect[],
  mode: DurabilityMode | Unknown,
): string[] {
  const chosen = mode === 'async' || mode === UNKNOWN
  return unsafe
    .filter(({ name }) => !(chosen && name === 'synchronous_commit'))
    .map((setting) => `${consequenceOf(setting)}; ${remedyFor(setting)}`)
}

function consequenceOf({ name, value, of }: SettingInEffect): string {
  const what = `${name} is ${value === '' ? 'empty' : value}${of === undefined ? '' : ` for ${of}`}`
  if (name === 'synchronous_commit') return `${what}: acknowledged commits may be lost`
  if (name === 'fsync' || name === 'full_page_writes')
    return `${what}: a power cut may lose acknowledged commits or make the data unusable`
  return `${what}, but a member needs ${ours.get(name)}`
}

function remedyFor({ name, file, of, restart, default: unset }: SettingInEffect): string {
  if (of !== undefined) return `run "alter ${of} reset ${name}"`
  if (unset) return 'run understudy join on this machine again, which sets it'
  const apply = `${restart ? 'restart' : 'reload'} PostgreSQL`
  if (file?.endsWith('/postgresql.auto.conf')) return `run "alter system reset ${name}" and ${apply}`
  return `remove it from ${file ?? "PostgreSQL's command line"} and ${apply}`
}

export interface SettingFacts {
  /** Unknown if PostgreSQL does not answer, which another line says. */
  settings: readonly SettingInEffect[] | Unknown
  mode: DurabilityMode | Unknown
}

/** Nothing is repaired: whoever has set it may have had a reason, and must know. */
export function decideSettingsCheck({ settings, mode }: SettingFacts): CheckPlan {
  if (settings === UNKNOWN) return { do: 'nothing', why: 'PostgreSQL does not answer', problems: [] }
  const problems = settingProblems(unsafeOf(settings), mode)
  return { do: 'nothing', why: problems[0] ?? 'the settings of a member are in effect', problems }
}
