/** Sorts the entries of a map or of an object by their keys, in the order of their characters' codes. */
export const byKey = (
  [one]: readonly [string, ...unknown[]],
  [other]: readonly [string, ...unknown[]],
): number => (one < other ? -1 : 1)
