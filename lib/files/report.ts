import { readFileSync } from 'node:fs'
import * as v from 'valibot'
import { replaceFile } from '../core/atomic-files.ts'
import { keepQuestion } from '../core/questions.ts'
import { filesPaths } from './manifest.ts'

/** What the last run of the handler `files` found. The check reads it, because it has no access to the folders. */
const report = v.object({
  /** When it ended, ISO 8601. */
  at: v.string(),
  /** What a person has to correct. */
  problems: v.array(v.string()),
  /** By label: what the last walk found, with Syncthing's sequence number then; when it was and how long it took, in ms. */
  folders: v.record(
    v.string(),
    v.object({
      conflicts: v.number(),
      special: v.nullable(v.object({ count: v.number(), example: v.string() })),
      sequence: v.number(),
      atMs: v.number(),
      tookMs: v.number(),
    }),
  ),
})
export type FilesReport = v.InferOutput<typeof report>

/** What every run of the handler writes anew. */
const VARIES = '"(?:at|atMs|tookMs)":[^,}]*'

/** @returns null if there is none since the last boot, or it cannot be read. */
export function readReport(): FilesReport | null {
  keepQuestion('file', filesPaths.report, VARIES)
  try {
    return v.parse(report, JSON.parse(readFileSync(filesPaths.report, 'utf8')))
  } catch {
    return null
  }
}

export const writeReport = (found: FilesReport): boolean =>
  replaceFile(filesPaths.report, `${JSON.stringify(found)}\n`)
