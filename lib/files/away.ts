import * as v from 'valibot'
import { readText, replaceFile } from '../core/atomic-files.ts'
import type { Away } from './decide-check.ts'
import { filesPaths } from './manifest.ts'

/** Which machines the last check found disconnected; none if there is no record, or it cannot be read. */
export function readAway(): Away {
  try {
    return v.parse(v.record(v.string(), v.number()), JSON.parse(readText(filesPaths.away) ?? '{}'))
  } catch {
    return {}
  }
}

export const writeAway = (away: Away): boolean => replaceFile(filesPaths.away, `${JSON.stringify(away)}\n`)
