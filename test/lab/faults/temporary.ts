import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A new directory of our own, beside other temporary files. */
export function makeDirectory(purpose: string): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), `understudy-faults-${purpose}-`))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}
