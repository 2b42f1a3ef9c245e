/** The addresses in a snapshot of Consul's gossip (hashicorp/serf, serf/snapshot.go) that are not this machine's. */
export const strangersIn = (snapshot: string, own: readonly string[]): string[] =>
  [...snapshot.matchAll(/^alive: .* (\S+):\d+$/gm)].flatMap(([, address = '']) =>
    own.includes(address) ? [] : [address],
  )
