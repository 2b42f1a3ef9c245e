/** How often a long step says how far it is, without a terminal. */
const TELL_MS = 30_000

/**
 * Shows how far a long step is: on a terminal in one line that changes, else in a line now and then.
 * @param label what every line begins with; nothing where the progress says it all.
 */
export function progressOn(
  stream: { isTTY?: boolean; write(text: string): unknown },
  label = '',
): (progress: string) => void {
  let toldAt = Number.NEGATIVE_INFINITY
  const line = (progress: string): string => (label === '' ? progress : `${label}: ${progress}`)
  return (progress) => {
    if (stream.isTTY) {
      stream.write(`\r\x1b[K${line(progress)}`)
      return
    }
    if (performance.now() - toldAt < TELL_MS) return
    toldAt = performance.now()
    stream.write(`${line(progress)}\n`)
  }
}
