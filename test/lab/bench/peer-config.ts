/** Patroni's configuration, as its documentation recommends it: https://patroni.readthedocs.io/en/latest/yaml_configuration.html. */

/** How quickly it notices, in seconds: `ttl`, `loop_wait` and `retry_timeout` of its dynamic configuration. */
export interface PeerTimes {
  readonly ttl: number
  readonly loop_wait: number
  readonly retry_timeout: number
}

/** As it comes, and the least that it accepts for each. */
export const peerTimes = {
  default: { ttl: 30, loop_wait: 10, retry_timeout: 10 },
  fastest: { ttl: 20, loop_wait: 1, retry_timeout: 3 },
} as const satisfies Record<string, PeerTimes>

export type PeerSettings = keyof typeof peerTimes

export interface PeerOptions {
  readonly node: string
  readonly address: string
  /** Of PostgreSQL. */
  readonly version: number
  readonly password: string
  /** One of two standbys confirms each commit, as ours has it; before version 4 it is always the same one. */
  readonly synchronousMode: 'quorum' | true
}

/** The address and the port of its REST interface. */
export const REST_PORT = 8008

/** Patroni's file for one machine. YAML takes JSON. */
export function renderPeer({ node, address, version, password, synchronousMode }: PeerOptions): string {
  const user = (username: string) => ({ username, password })
  return JSON.stringify({
    scope: 'bench',
    name: node,
    restapi: { listen: `${address}:${REST_PORT}`, connect_address: `${address}:${REST_PORT}` },
    consul: { host: '127.0.0.1:8500' },
    bootstrap: {
      dcs: {
        ...peerTimes.default,
        synchronous_mode: synchronousMode,
        postgresql: { use_pg_rewind: true, use_slots: true },
      },
      initdb: [{ encoding: 'UTF8' }, 'data-checksums'],
    },
    postgresql: {
      listen: '0.0.0.0:5432',
      connect_address: `${address}:5432`,
      data_dir: `/var/lib/postgresql/${version}/main`,
      bin_dir: `/usr/lib/postgresql/${version}/bin`,
      pgpass: '/var/lib/postgresql/patroni.pgpass',
      authentication: {
        superuser: user('postgres'),
        replication: user('replicator'),
        rewind: user('rewinder'),
      },
      parameters: { unix_socket_directories: '/var/run/postgresql' },
      pg_hba: [
        'local all all peer',
        'host all all 127.0.0.1/32 scram-sha-256',
        'host replication replicator 10.77.0.0/24 scram-sha-256',
        'host all all 10.77.0.0/24 scram-sha-256',
      ],
    },
  })
}
