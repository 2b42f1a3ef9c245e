/** A text that others chose, such as a file's name, on one line: characters that steer a terminal are escaped. */
export const printable = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  text.replace(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, (character) =>
    character === '\n' ? '\\n' : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB']

/** 0 B, 512 B, 1.5 KiB, 16 MiB: two significant digits are enough. */
export function bytes(count: number): string {
  let [value, power] = [count, 0]
  // What would be rounded to 1024 is one of the next.
  while (Math.round(value) >= 1024 && power < BYTE_UNITS.length - 1) {
    value /= 1024
    power++
  }
  return `${value < 10 && power > 0 ? Number(value.toFixed(1)) : Math.round(value)} ${BYTE_UNITS[power]}`
}

const MINUTE = 60
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** 12 s, 5 min, 3 h 20 min, 9 d 4 h. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  if (whole < MINUTE) return `${whole} s`
  if (whole < HOUR) return `${Math.floor(whole / MINUTE)} min`
  if (whole < DAY) return `${Math.floor(whole / HOUR)} h ${Math.floor((whole % HOUR) / MINUTE)} min`
  return `${Math.floor(whole / DAY)} d ${Math.floor((whole % DAY) / HOUR)} h`
}
