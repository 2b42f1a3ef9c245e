/** Chance that can be repeated: the same seed gives the same choices. */
export interface Random {
  /** At least `low`, at most `high`, both whole. */
  integer(low: number, high: number): number
  pick<T>(from: readonly T[]): T
  shuffle<T>(from: readonly T[]): T[]
}

/** A seed for a part of a run, so that leaving other parts out does not change it. */
export function seedOf(seed: number, part: string): number {
  let hash = 0x811c9dc5 ^ seed // FNV-1a
  for (const byte of Buffer.from(part)) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash >>> 0
}

/** Mulberry32, which is enough for choosing faults. */
export function randomOf(seed: number): Random {
  let state = seed >>> 0
  const fraction = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const integer = (low: number, high: number): number => low + Math.floor(fraction() * (high - low + 1))
  return {
    integer,
    pick(from) {
      const index = integer(0, from.length - 1)
      if (from.length === 0) throw new Error('there is nothing to choose from')
      return from[index] as (typeof from)[number]
    },
    shuffle(from) {
      const cards = [...from]
      for (let last = cards.length - 1; last > 0; last--) {
        const other = integer(0, last)
        const card = cards[last] as (typeof cards)[number]
        cards[last] = cards[other] as (typeof cards)[number]
        cards[other] = card
      }
      return cards
    },
  }
}
