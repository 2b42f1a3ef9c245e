import { Consul } from '../../../lib/consul/client.ts'
import { answering, listen, type Received } from './server.ts'

/** What a Consul with these keys and values has of them. */
export const raw = (key: string, text: string | null, index = 5) => ({
  Key: key,
  Value: text === null ? null : Buffer.from(text).toString('base64'),
  ModifyIndex: index,
  LockIndex: 0,
})

interface Answer {
  status?: number
  text?: string
}

/** A client of a Consul that answers each request like this, and the requests that it was sent. */
export async function consulThat(
  answer: (request: Received) => Answer,
  prefix?: string,
): Promise<{ consul: Consul; seen: Received[] }> {
  const { listener, seen } = answering(answer)
  const port = await listen((request, response) => {
    response.setHeader('content-type', 'application/json')
    listener(request, response)
  })
  return { consul: new Consul({ port, timeoutMs: 500, ...(prefix === undefined ? {} : { prefix }) }), seen }
}

/** Answers like Consul's key-value store with these texts: one key, `?recurse` or `?keys`; and writes down deletions. */
export function keyValueStore(texts: Readonly<Record<string, string>>): (request: Received) => Answer {
  return ({ method, url }) => {
    if (method !== 'GET') return { text: 'true' }
    const { pathname, searchParams } = new URL(url, 'http://consul')
    const asked = decodeURIComponent(pathname).slice('/v1/kv/'.length)
    const below = searchParams.has('recurse') || searchParams.has('keys')
    const keys = Object.keys(texts).filter((key) => (below ? key.startsWith(asked) : key === asked))
    if (keys.length === 0) return { status: 404 }
    const rows = searchParams.has('keys') ? keys : keys.map((key) => raw(key, texts[key] ?? null))
    return { text: JSON.stringify(rows) }
  }
}
