import type { Context } from '../consul/handler.ts'
import type { Component } from '../core/component.ts'
import type { StatusSection } from '../core/status.ts'
import { checksSection } from './checks.ts'

/** A section with what people call its component. */
export type Section = StatusSection<Context> & { title: string }

/** All sections of the status: those of the components, and one for the checks of all of them. */
export async function sectionsOf(components: readonly Component<Context>[]): Promise<Section[]> {
  const sections = components.map(async ({ title, status }) => ({ title, ...(await status?.())?.section }))
  return [...(await Promise.all(sections)), { title: 'checks', ...checksSection(components) }]
}
