/** What whoever looks into a failed run wants to see. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { explain } from '../../../lib/core/errors.ts'
import type { Lab } from '../lib/lab.ts'
import { steadyNow } from '../lib/steady-clock.ts'
import { gapsOf } from './gaps.ts'
import type { Stage } from './stage.ts'
import { makeDirectory } from './temporary.ts'
import { reignsOf } from './verdict.ts'

/** A gap that is worth a line. */
const GAP_MS = 1000

/** What is collected from every machine: the name of the file, and the command. */
const sources: Record<string, readonly string[]> = {
  handlers: ['journalctl', '--no-pager', '--output=short-precise', '--identifier=understudy'],
  journal: ['journalctl', '--no-pager', '--output=short-precise'],
  postgresql: ['sh', '-c', 'cat /var/log/postgresql/postgresql-*.log'],
  pgbouncer: ['sh', '-c', 'cat /var/log/postgresql/pgbouncer.log'],
  status: ['understudy', 'status'],
}
const HISTORY = 'http://127.0.0.1:8500/v1/kv/understudy/history/?recurse'

/** The events of a run with the first and last acknowledgements of every primary and the gaps of every client. */
export function timelineOf({ events, writers }: Stage): string {
  const { attempts } = writers
  const between = { from: events.startedAt, to: steadyNow() }
  const lines = events.all.map(({ at, what }) => ({ at, what }))
  for (const { server, timeline, firstAckAt, lastSentAt } of reignsOf(attempts)) {
    lines.push({ at: firstAckAt, what: `first acknowledgement by ${server} on timeline ${timeline}` })
    lines.push({ at: lastSentAt, what: `last row sent that ${server} acknowledged on timeline ${timeline}` })
  }
  for (const writer of new Set(attempts.map((attempt) => attempt.writer)))
    for (const { from, ms } of gapsOf(attempts, writer, between, GAP_MS))
      lines.push({ at: from, what: `${writer}: no acknowledgement for ${Math.round(ms)} ms` })
  const sorted = lines.sort((a, b) => a.at - b.at)
  const start = new Date(events.startedAt).toISOString()
  return [`0 s is ${start}`, ...sorted.map(({ at, what }) => `${events.sinceStart(at)} ${what}`)].join('\n')
}

/** Writes everything that is known of a run into a new directory. @returns its path. */
export async function saveReport(stage: Stage): Promise<string> {
  const { path } = makeDirectory('report')
  const save = (file: string, text: string): void => writeFileSync(join(path, file), `${text}\n`)
  save('timeline.txt', timelineOf(stage))
  save('attempts.jsonl', stage.writers.attempts.map((attempt) => JSON.stringify(attempt)).join('\n'))
  save('errors.jsonl', stage.writers.errors.map((error) => JSON.stringify(error)).join('\n'))
  for (const machine of stage.machines)
    for (const [source, command] of Object.entries(sources))
      save(`${machine}-${source}.txt`, await output(stage.lab, machine, command))
  save('history.txt', await history(stage))
  return path
}

async function output(lab: Lab, machine: string, command: readonly string[]): Promise<string> {
  try {
    const { stdout, stderr } = await lab.exec(machine, command, { reject: false, timeoutMs: 20_000 })
    return stdout + stderr
  } catch (error) {
    return explain(error)
  }
}

/** The history in Consul, by whichever machine has it. */
async function history({ lab, machines }: Stage): Promise<string> {
  for (const machine of machines) {
    const answer = await output(lab, machine, ['curl', '--silent', '--max-time', '5', HISTORY])
    try {
      const entries = JSON.parse(answer) as { Key: string; Value: string }[]
      return entries.map(({ Key, Value }) => `${Key} ${Buffer.from(Value, 'base64').toString()}`).join('\n')
    } catch {
      // Without a leader it answers with an error.
    }
  }
  return 'Consul does not answer'
}
