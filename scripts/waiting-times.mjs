// Every waiting time of the code, with its reason: the constants named ..._MS and ..._S, and the comment above each.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const top = fileURLToPath(new URL('..', import.meta.url))

/** Source files below a folder. @param {string} folder @returns {string[]} */
const sources = (folder) =>
  /** @type {string[]} */ (readdirSync(join(top, folder), { recursive: true }))
    .filter((file) => file.endsWith('.ts'))
    .map((file) => `${folder}/${file}`)
    .sort()

const CONSTANT =
  /(?:\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n)?(?:export )?const ([A-Z][A-Z0-9_]*_(MS|S)) = ([\d_ *]+)\n/g

/**
 * @typedef {object} WaitingTime
 * @property {string} name
 * @property {string} value with its unit
 * @property {string} reason empty where the code gives none
 * @property {string} file
 */

/** @returns {WaitingTime[]} in the order of their files */
export const waitingTimes = () =>
  [...sources('lib'), ...sources('handlers')].flatMap((file) =>
    [...readFileSync(join(top, file), 'utf8').matchAll(CONSTANT)].map(([, comment, name, unit, product]) => ({
      name: name ?? '',
      value: inWords(
        (product ?? '').split('*').reduce((value, factor) => value * Number(factor.replaceAll('_', '')), 1),
        unit === 'MS',
      ),
      reason: (comment ?? '').replace(/\s*\n\s*\*\s*/g, ' ').trim(),
      file,
    })),
  )

/** @param {number} number @param {boolean} isMs */
function inWords(number, isMs) {
  const ms = isMs ? number : number * 1000
  if (ms < 1000) return `${ms} ms`
  const seconds = ms / 1000
  if (seconds < 60 || seconds % 60 !== 0) return `${seconds} s`
  return seconds % 3600 === 0 ? `${seconds / 3600} h` : `${seconds / 60} min`
}
