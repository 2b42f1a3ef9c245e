#!/usr/bin/env node
// A client that inserts one row after the other and says of each attempt what became of it, one JSON line each. The first
// line of stdin says where: {"host", "port", "user", "database", "password", "from"}. Ends when stdin closes.
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'

/** How long an attempt may take: a client that waits longer would measure its own patience. */
const ATTEMPT_MS = 1000
const PAUSE_MS = 10

let stopping = false
const input = createInterface({ input: process.stdin })
input.on('close', () => {
  stopping = true
})
const { from, ...target } = JSON.parse(await new Promise((resolve) => input.once('line', resolve)))

/** @type {pg.Client | null} */
let client = null

async function connect() {
  const fresh = new pg.Client({ ...target, connectionTimeoutMillis: ATTEMPT_MS, query_timeout: ATTEMPT_MS })
  // A broken connection is reported by the next query.
  fresh.on('error', () => {})
  try {
    await fresh.connect()
    return fresh
  } catch (error) {
    fresh.end().catch(() => {})
    throw error
  }
}

for (let value = from + 1; !stopping; value++) {
  try {
    client ??= await connect()
    const { rows } = await client.query(
      'insert into written (value) values ($1) returning host(inet_server_addr()) as server',
      [value],
    )
    console.log(JSON.stringify({ ok: true, value, at: Date.now(), server: rows[0].server }))
  } catch (error) {
    console.log(
      JSON.stringify({ ok: false, value, at: Date.now(), error: /** @type {Error} */ (error).message }),
    )
    client?.end().catch(() => {})
    client = null
  }
  await sleep(PAUSE_MS)
}
process.exit(0)
