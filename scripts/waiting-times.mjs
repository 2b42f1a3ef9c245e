// Every waiting time of what runs on a machine, with its reason: the constants named ..._MS and ..._S, and the comment above each.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const top = fileURLToPath(new URL('..', import.meta.url))

/** Source files below a folder. @param {string} folder @param {string} ending @returns {{ file: string, text: string }[]} */
const sources = (folder, ending) =>
  /** @type {string[]} */ (readdirSync(join(top, folder), { recursive: true }))
    .filter((file) => file.endsWith(ending))
    .map((file) => `${folder}/${file}`)
    .sort()
    .map((file) => ({ file, text: readFileSync(join(top, file), 'utf8') }))

/** The subcommands of understudy, without the tools of its developers. */
const commands = () => sources('scripts', '.mjs').filter(({ text }) => /^\/\/ understudy \w+:/m.test(text))

const CONSTANT =
  /(?:\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n)?(?:export )?const ([A-Z][A-Z0-9_]*_(MS|S)) = ([\d_ *]+)\n/g
const PERL_CONSTANT = /((?:^# .*\n)*)^my \$([A-Z][A-Z0-9_]*_(MS|S)) = ([\d.]+);$/gm

/**
 * @typedef {object} WaitingTime
 * @property {string} name
 * @property {string} value with its unit
 * @property {string} reason empty where the code gives none
 * @property {string} file
 */

/** @returns {WaitingTime[]} in the order of their files */
export const waitingTimes = () =>
  [
    ...[...sources('lib', '.ts'), ...sources('handlers', '.ts')],
    ...[...commands(), ...sources('packaging', '.pl')],
  ].flatMap(({ file, text }) =>
    [...text.matchAll(file.endsWith('.pl') ? PERL_CONSTANT : CONSTANT)].map(
      ([, comment, name, unit, product]) => ({
        name: name ?? '',
        value: inWords(
          (product ?? '').split('*').reduce((value, factor) => value * Number(factor.replaceAll('_', '')), 1),
          unit === 'MS',
        ),
        reason: (comment ?? '').replace(/^# |\s*\n\s*[*#]?\s*/g, ' ').trim(),
        file,
      }),
    ),
  )

/** @param {number} number @param {boolean} isMs */
function inWords(number, isMs) {
  const ms = isMs ? number : number * 1000
  if (ms < 1000) return `${ms} ms`
  const seconds = ms / 1000
  if (seconds < 60 || seconds % 60 !== 0) return `${seconds} s`
  return seconds % 3600 === 0 ? `${seconds / 3600} h` : `${seconds / 60} min`
}
