import { usageError } from '../lib/core/errors.ts'

/**
 * The value of an option that takes a whole number.
 * @param {string} option its name, without dashes
 * @param {string} text
 * @param {number} least
 * @param {number} most
 * @throws a usage error
 */
export function wholeNumber(option, text, least, most) {
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= least && value <= most) return value
  throw usageError(`--${option} takes a number from ${least} to ${most}, not "${text}"`)
}
