import type { State } from './state.ts'

/** A machine, Consul or the bounds, which many states have in common. */
interface Part {
  first: object
  number: number
}

const parts = new Map<string, Part>()
const texts = new WeakMap<object, string>()

function partOf(one: object): Part {
  const text = texts.get(one) ?? JSON.stringify(one)
  texts.set(one, text)
  return numbered(text, one)
}

function numbered(text: string, one: object): Part {
  const known = parts.get(text)
  if (known) return known
  const part = { first: one, number: parts.size }
  parts.set(text, part)
  return part
}

/**
 * A text by which equal states are found. n2 and n3 are alike: which of equally good candidates is preferred decides only how soon it may
 * act. So a state and its mirror image count as one.
 */
export function keyOf({ machines: { n1, n2, n3 }, consul, left, acknowledged }: State): string {
  const rest = `${partOf(left).number} ${acknowledged}`
  const own = [n1, n2, n3, consul].map((one) => partOf(one).number).join(' ')
  const mirrored = [n1, n3, n2, consul].map((one) => partOf(mirror(one)).number).join(' ')
  return `${[own, mirrored].sort()[0]} ${rest}`
}

/** The same state in less memory. */
export function compact({ machines: { n1, n2, n3 }, consul, left, acknowledged }: State): State {
  const first = <T extends object>(one: T): T => partOf(one).first as T
  const machines = { n1: first(n1), n2: first(n2), n3: first(n3) }
  return { machines, consul: first(consul), left: first(left), acknowledged }
}

const mirrors = new Map<object, object>()

/** The same with n2 and n3 exchanged. */
function mirror(one: object): object {
  const { first } = partOf(one)
  const known = mirrors.get(first)
  if (known) return known
  const mirrored = JSON.parse(JSON.stringify(first), (key, value: unknown) => {
    if (Array.isArray(value)) return value.sort()
    if (typeof value !== 'string') return value
    const swapped = value.replace(/[23]/g, (digit) => (digit === '2' ? '3' : '2'))
    // In a rule the names stand in their order.
    return key === 'wal' ? swapped : swapped.replace('"n3", "n2"', '"n2", "n3"')
  })
  mirrors.set(first, mirrored)
  return mirrored
}
