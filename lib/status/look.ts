import { components } from '../components.ts'
import { wantedBy } from '../core/component.ts'
import type { Paint } from '../core/paint.ts'
import type { Settings } from '../core/settings.ts'
import type { StatusDocument } from './facts.ts'
import { documentOf, exitCodeOf } from './judge.ts'
import { observeStatus } from './observe.ts'
import { sectionsOf } from './sections.ts'
import { tableLines } from './table.ts'

/** What one look at the cluster has shown. */
export interface Look {
  document: StatusDocument
  exitCode: number
  /** The text that a person reads. */
  lines(paint?: Paint): string[]
}

/** Looks at the cluster from this machine, see {@link observeStatus}. */
export async function lookAtCluster(settings: Settings, all = components): Promise<Look> {
  const sections = await sectionsOf(wantedBy(settings, all))
  const document = documentOf(await observeStatus(settings, sections), sections)
  return {
    document,
    exitCode: exitCodeOf(document),
    lines: (paint) => tableLines(document, sections, paint),
  }
}
