#!/usr/bin/env node
// A client that inserts rows one after the other and remembers what was acknowledged. Prints one JSON line for every
// change: {"ok":true,"value":17,"at":1700000000000,"gapMs":3} ... Ends at SIGTERM, or when stdin closes.
import pg from 'pg'

const [host, port, user, database, password] = process.argv.slice(2)
const ATTEMPT_MS = 1000
const PAUSE_MS = 10

let stopping = false
process.on('SIGTERM', () => {
  stopping = true
})
process.stdin.on('end', () => {
  stopping = true
}).resume()

/** @type {pg.Client | null} */
let client = null
let last = Date.now()
let value = 0

async function attempt() {
  if (!client) {
    const fresh = new pg.Client({
      host,
      port: Number(port),
      user,
      database,
      password,
      connectionTimeoutMillis: ATTEMPT_MS,
      query_timeout: ATTEMPT_MS,
    })
    fresh.on('error', () => {})
    try {
      await fresh.connect()
    } catch (error) {
      fresh.end().catch(() => {})
      throw error
    }
    client = fresh
  }
  const { rows } = await client.query('insert into written (value) values ($1) returning host(inet_server_addr()) as server', [value])
  return rows[0].server
}

while (!stopping) {
  value++
  try {
    const server = await attempt()
    const at = Date.now()
    process.stdout.write(`${JSON.stringify({ ok: true, value, at, gapMs: at - last, server })}\n`)
    last = at
  } catch (error) {
    process.stdout.write(`${JSON.stringify({ ok: false, value, at: Date.now(), error: error.message })}\n`)
    client?.end().catch(() => {})
    client = null
  }
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
}
process.exit(0)
