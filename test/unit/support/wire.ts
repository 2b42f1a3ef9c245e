/** Servers that speak PostgreSQL's protocol: https://www.postgresql.org/docs/current/protocol-message-formats.html. */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { afterEach } from 'node:test'

const servers: Server[] = []
const sockets: Socket[] = []

export async function closeServers(): Promise<void> {
  for (const socket of sockets.splice(0)) socket.destroy()
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve))
}
afterEach(closeServers)

/** A server that answers each message of a client with the next of these, the last one again and again. @returns its port. */
export async function serverThat(...answers: ((socket: Socket) => void)[]): Promise<number> {
  const server = createServer((socket) => {
    const left = [...answers]
    sockets.push(socket)
    socket.on('error', () => {})
    socket.on('data', () => {
      const answer = left.length > 1 ? left.shift() : left[0]
      answer?.(socket)
    })
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

export function message(type: string, body: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeInt32BE(body.length + 4)
  return Buffer.concat([Buffer.from(type), length, body])
}

export function errorResponse(severity: string, sqlstate: string, text: string): Buffer {
  return message('E', Buffer.from(`S${severity}\0V${severity}\0C${sqlstate}\0M${text}\0\0`))
}

export const fatal = (sqlstate: string, text: string) => (socket: Socket) =>
  void socket.end(errorResponse('FATAL', sqlstate, text))
