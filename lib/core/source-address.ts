import { createSocket } from 'node:dgram'
import { usageError } from './errors.ts'

/** Any port will do: nothing is sent. */
const PORT = 9

/** The address that the kernel chooses for packets to another machine. @throws a usage error where there is no route. */
export function addressTowards(host: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4')
    socket.once('error', (cause) => {
      socket.close()
      reject(usageError(`there is no route to ${host}: ${cause.message}`))
    })
    socket.connect(PORT, host, () => {
      const { address } = socket.address()
      socket.close()
      resolve(address)
    })
  })
}
