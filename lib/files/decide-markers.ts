/** When the marker of a folder was made, by the folder's id: a directory with another marker is another directory. */
export type Markers = Readonly<Record<string, string>>

export interface MarkersSeen {
  /** What is there now. A folder without a marker, or one whose time cannot be told, is left out. */
  now: Markers
  known: Markers
}

/** Is there another directory than before in the place of a folder, such as a copy of it on another disk? */
export const isStranger = (id: string, { now, known }: MarkersSeen): boolean =>
  now[id] !== undefined && known[id] !== undefined && now[id] !== known[id]

/** What is to be known of these folders: what was known before, and else what is there now. */
export const markersToKnow = (ids: readonly string[], { now, known }: MarkersSeen): Markers =>
  Object.fromEntries(
    [...ids].sort().flatMap((id) => {
      const marker = known[id] ?? now[id]
      return marker === undefined ? [] : [[id, marker]]
    }),
  )
