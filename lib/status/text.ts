import type { Copy } from '../files/observe.ts'

/** What a machine has of a folder, in a few words. */
export function copyText(copy: Pick<Copy, 'state' | 'files' | 'bytes'>): string {
  const { state, files } = copy
  if (state === 'in-sync') return 'in sync'
  if (state === 'behind') return `behind ${lackText(copy)}`
  const name = state === 'not-shared' ? 'not shared' : state
  return files === 0 ? name : `${name}, behind ${lackText(copy)}`
}

/** How much a machine lacks of a folder: 3 files (1.5 MiB). */
export const lackText = ({ files, bytes: size }: Pick<Copy, 'files' | 'bytes'>): string =>
  `${files} ${files === 1 ? 'file' : 'files'} (${bytes(size)})`

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB']

/** 0 B, 512 B, 1.5 KiB, 16 MiB: two digits that matter are enough at a glance. */
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
