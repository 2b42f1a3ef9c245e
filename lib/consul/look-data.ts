import { existsSync, readdirSync } from 'node:fs'
import { readText } from '../core/atomic-files.ts'
import type { DataFacts } from './decide-join.ts'
import { strangersIn } from './strangers-in.ts'

/** What lies in the data directory of Consul's agent. @param own the addresses of this machine. */
export function readData(directory: string, own: readonly string[]): DataFacts {
  const snapshots = ['local', 'remote'].map((pool) => readText(`${directory}/serf/${pool}.snapshot`) ?? '')
  return {
    directory,
    // As Consul reads it (agent/nodeid.go).
    nodeId: readText(`${directory}/node-id`)?.trim().toLowerCase() || null,
    // Whatever a server keeps its log in: 1.8 makes raft.db, newer ones a directory wal.
    begun: existsSync(`${directory}/raft`) && readdirSync(`${directory}/raft`).length > 0,
    others: snapshots.flatMap((text) => strangersIn(text, own)),
    keyring: ['local', 'remote'].some((pool) => existsSync(`${directory}/serf/${pool}.keyring`)),
  }
}
