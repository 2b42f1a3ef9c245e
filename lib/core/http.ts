import { request } from 'node:http'

export interface JsonRequest {
  method: 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE'
  path: string
  headers?: Readonly<Record<string, string>>
  body?: unknown
}

/** An answer with another status than 200. */
export class HttpError extends Error {
  readonly statusCode: number

  constructor(statusCode: number, text: string) {
    super(`${statusCode}: ${text}`)
    this.name = 'HttpError'
    this.statusCode = statusCode
  }
}

/**
 * One request to a service on this machine, over a connection of its own. The deadline is absolute.
 * @returns the JSON of the answer; null where its body is empty.
 * @throws {@link HttpError} where the status is not 200; a SyntaxError where the answer is not JSON; another error where there is
 * no whole answer in time.
 */
export async function requestJson(
  port: number,
  { method, path, headers = {}, body }: JsonRequest,
  timeoutMs: number,
): Promise<unknown> {
  const signal = AbortSignal.timeout(timeoutMs)
  const options = {
    host: '127.0.0.1',
    port,
    path,
    method,
    headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    // Node 20 keeps connections alive: one that the service has just closed would fail the next request.
    agent: false,
    signal,
  }
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void =>
      reject(signal.aborted ? new Error(`no answer within ${timeoutMs} ms`) : error)
    const call = request(options, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
      })
      response.on('error', fail)
      response.on('end', () => {
        const { statusCode = 0 } = response
        if (statusCode !== 200) return reject(new HttpError(statusCode, text.trim()))
        try {
          resolve(text.trim() === '' ? null : JSON.parse(text))
        } catch (error) {
          reject(error)
        }
      })
    })
    call.on('error', fail)
    call.end(body === undefined ? undefined : JSON.stringify(body))
  })
}
