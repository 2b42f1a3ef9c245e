import * as v from 'valibot'
import { readText, replaceFile } from '../core/atomic-files.ts'
import { paths } from '../core/paths.ts'
import type { Away } from './decide-check.ts'

/** Which machines the check has found without a connection; nobody where that was not written down, or cannot be read. */
export function readAway(): Away {
  try {
    return v.parse(v.record(v.string(), v.number()), JSON.parse(readText(paths.filesAway) ?? '{}'))
  } catch {
    return {}
  }
}

export const writeAway = (away: Away): boolean => replaceFile(paths.filesAway, `${JSON.stringify(away)}\n`)
