import type { Tone } from './status.ts'

/** How parts of a text are set off; every function returns its text, with or without colour. */
export type Paint = Readonly<Record<Tone, (text: string) => string>>

/** No colour at all. */
export const plain: Paint = { good: String, bad: String, faint: String, strong: String }

/** See "Select Graphic Rendition" in console_codes(4). */
const colour =
  (on: number, off: number) =>
  (text: string): string =>
    `\x1b[${on}m${text}\x1b[${off}m`

const coloured: Paint = {
  good: colour(32, 39),
  bad: colour(31, 39),
  faint: colour(2, 22),
  strong: colour(1, 22),
}

/** Colour on a terminal only, and where the environment does not forbid it, see https://no-color.org. */
export function paintFor({ isTTY }: { isTTY?: boolean }, env: NodeJS.ProcessEnv = process.env): Paint {
  return isTTY && !env['NO_COLOR'] && env['TERM'] !== 'dumb' ? coloured : plain
}
