import { printable } from '../core/text.ts'

/** What the file systems of Linux allow a name to have. */
const LONGEST_BYTES = 255

/** Names that Syncthing keeps for itself: at the top of a folder, and those of its temporary files anywhere. */
const OWN = /^\.st(folder|ignore|versions)(\/|$)|(^|\/)(\.syncthing\.|~syncthing~)[^/]*$/

/** Why a path inside a folder cannot be replicated because of its name, or null. */
export function nameProblem(path: string): string | null {
  const not = (why: string): string => `${printable(path)} cannot be replicated: ${why}`
  // Node.js reads what is not UTF-8 as this character: the file on the disk would have another name.
  if (path.includes('\ufffd')) return not('its name is not UTF-8')
  if (path !== path.normalize('NFC')) return not('its name is not in composed Unicode (NFC)')
  if (path.split('/').some((part) => Buffer.byteLength(part) > LONGEST_BYTES))
    return not(`a name has at most ${LONGEST_BYTES} bytes`)
  return OWN.test(path) ? not('Syncthing keeps that name for itself') : null
}
