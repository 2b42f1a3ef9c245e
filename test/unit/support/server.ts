import { createServer, type IncomingHttpHeaders, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

const servers: Server[] = []

/** Listens on this machine. @returns the port. */
export async function listen(listener: RequestListener): Promise<number> {
  const server = createServer(listener)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

/** For `afterEach`. */
export async function closeServers(): Promise<void> {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
}

export interface Received {
  method: string
  url: string
  headers: IncomingHttpHeaders
  /** The body as it came. */
  text: string
}

/** Answers each request, all of it read, and keeps what was asked. */
export function answering(answer: (request: Received) => { status?: number; text?: string }): {
  listener: RequestListener
  seen: Received[]
} {
  const seen: Received[] = []
  const listener: RequestListener = (request, response) => {
    let body = ''
    request.setEncoding('utf8')
    request.on('data', (chunk: string) => {
      body += chunk
    })
    request.on('end', () => {
      const { method = '', url = '', headers } = request
      const received = { method, url, headers, text: body }
      seen.push(received)
      const { status = 200, text = '' } = answer(received)
      response.statusCode = status
      response.end(text)
    })
  }
  return { listener, seen }
}
