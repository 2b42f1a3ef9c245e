import { isAbsolute } from 'node:path'
import type { FirstOptions } from '../consul/joining.ts'
import { usageError } from '../core/errors.ts'

/** Options that name a search server which is not where its package has it. */
export const SEARCH_PLACE = ['search-unit', 'search-config'] as const

type SearchPlace = Pick<FirstOptions, 'searchUnit' | 'searchConfig'>

/** @returns where the search server is, from such options. @throws a usage error. */
export function searchPlace(values: Partial<Record<(typeof SEARCH_PLACE)[number], string>>): SearchPlace {
  const { 'search-unit': unit, 'search-config': directory } = values
  if (unit !== undefined && !/^[\w.@-]+$/.test(unit))
    throw usageError(`--search-unit takes the name of a unit of systemd, such as opensearch, not "${unit}"`)
  if (directory !== undefined && !isAbsolute(directory))
    throw usageError(
      `--search-config takes the absolute path of the directory that has opensearch.yml or elasticsearch.yml, not "${directory}"`,
    )
  return {
    ...(unit === undefined ? {} : { searchUnit: unit.replace(/\.service$/, '') }),
    ...(directory === undefined ? {} : { searchConfig: directory.replace(/(.)\/+$/, '$1') }),
  }
}
