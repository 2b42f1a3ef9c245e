// Pages of the documentation with generated parts, and how each is renewed.
import { components } from '#lib/components'
import { renderReference, renewPage } from '#lib/operations/render-reference'
import { waitingTimes } from './waiting-times.mjs'

/** @type {Readonly<Record<string, (page: string) => string>>} */
export const generatedPages = {
  'docs/reference/README.md': (page) => renewPage(page, renderReference(components)),
  'docs/reference/waiting-times.md': (page) =>
    renewPage(page, {
      waits: waitingTimes()
        .map(({ name, value, reason, file }) => `- **${name}** ${value} (\`${file}\`): ${reason}`)
        .join('\n'),
    }),
}
