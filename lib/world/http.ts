import { request } from 'node:http'

/**
 * PUTs a JSON document on this machine, for what a client library leaves out. The deadline is absolute.
 * @throws where there is no answer in time, or its status is not 200; the answer's text is in the message.
 */
export async function putJson(
  port: number,
  path: string,
  body: unknown,
  timeoutMs: number,
): Promise<unknown> {
  const signal = AbortSignal.timeout(timeoutMs)
  const headers = { 'content-type': 'application/json' }
  return new Promise((resolve, reject) => {
    const call = request({ host: '127.0.0.1', port, path, method: 'PUT', headers, signal }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
      })
      response.on('error', reject)
      response.on('end', () => {
        if (response.statusCode !== 200) return reject(new Error(`${response.statusCode}: ${text.trim()}`))
        try {
          resolve(JSON.parse(text))
        } catch (error) {
          reject(error)
        }
      })
    })
    call.on('error', reject)
    call.end(JSON.stringify(body))
  })
}
