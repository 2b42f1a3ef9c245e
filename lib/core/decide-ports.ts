/** A TCP port that a daemon of a member listens on. */
export interface WantedPort {
  port: number
  /** null: all addresses. */
  address: string | null
}

/** A TCP socket of this machine that listens. */
export interface Listener extends WantedPort {
  inode: string
}

/**
 * The sockets that listen. IPv6 counts where it takes IPv4 in as well.
 * @param table what /proc/net/tcp or tcp6 holds, see proc_pid_net(5).
 */
export const listenersIn = (table: string): Listener[] =>
  [...table.matchAll(/^ *\d+: ([0-9A-F]+):([0-9A-F]{4}) \S+ 0A (?:\S+ +){5}(\d+)/gm)].flatMap(
    ([, hex = '', port = '', inode = '']) => {
      const address = addressIn(hex)
      return address === undefined ? [] : [{ port: Number.parseInt(port, 16), address, inode }]
    },
  )

/** null: all addresses; undefined: one that is not of IPv4. */
function addressIn(hex: string): string | null | undefined {
  if (/^0+$/.test(hex)) return null
  const [, ipv4] = /^(?:0{16}FFFF0000)?([0-9A-F]{8})$/.exec(hex) ?? []
  return ipv4
    ?.match(/../g)
    ?.map((byte) => Number.parseInt(byte, 16))
    .reverse()
    .join('.')
}

/** The inodes of the sockets that are in the way of one that is to listen there. */
export const listenersAt = (listeners: readonly Listener[], { port, address }: WantedPort): string[] =>
  listeners
    .filter((one) => one.port === port)
    .filter((one) => one.address === null || address === null || one.address === address)
    .map(({ inode }) => inode)
