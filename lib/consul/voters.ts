import { run } from '../core/exec.ts'

/** Names of the Consul servers that vote. Consul's client library lacks this call; its own command has it. */
export async function readVoters(timeoutMs: number): Promise<string[]> {
  const text = await run('consul', ['operator', 'raft', 'list-peers', '-stale'], { timeoutMs })
  const [header = [], ...rows] = text.split('\n').map((line) => line.trim().split(/\s+/))
  const column = header.indexOf('Voter')
  return rows.flatMap((row) => (row[0] && row[column] === 'true' ? [row[0]] : []))
}
