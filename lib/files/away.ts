import * as v from 'valibot'
import type { Away } from '../decide/files-check.ts'
import { paths } from '../paths.ts'
import { readText, replaceFile } from '../world/files.ts'

/** Which machines the check has found without a connection; nobody where that was not written down, or cannot be read. */
export function readAway(): Away {
  try {
    return v.parse(v.record(v.string(), v.number()), JSON.parse(readText(paths.filesAway) ?? '{}'))
  } catch {
    return {}
  }
}

export const writeAway = (away: Away): boolean => replaceFile(paths.filesAway, `${JSON.stringify(away)}\n`)
