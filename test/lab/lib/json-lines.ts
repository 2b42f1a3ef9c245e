import type { Readable } from 'node:stream'

/** Hands on what a program prints as one JSON document each line, whole lines only. */
export function onJsonLine<T>(output: Readable | null, take: (document: T) => void): void {
  let rest = ''
  output?.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) take(JSON.parse(line) as T)
  })
}
