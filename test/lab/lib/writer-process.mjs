#!/usr/bin/env node
// A client that inserts one row after the other, one JSON line each for what it sends and for what became of it. The
// first line of stdin says where: {"host" (one or several), "port", "user", "database", "password", "from", "pauseMs", "clock"}. Ends when
// stdin closes.
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'

/** How long an attempt may take: a client that waits longer would measure its own patience. */
const ATTEMPT_MS = 1000

let stopping = false
const input = createInterface({ input: process.stdin })
input.on('close', () => {
  stopping = true
})
const {
  from,
  pauseMs = 10,
  clock,
  ...target
} = JSON.parse(await new Promise((resolve) => input.once('line', resolve)))

/** Epoch milliseconds that no clock which is set can move: counted from a moment that whoever started us names. */
const now = () => clock.epochMs + Number(process.hrtime.bigint() - BigInt(clock.monotonicNs)) / 1e6
/** @param {object} entry */
const say = (entry) => process.stdout.write(`${JSON.stringify(entry)}\n`)

/** @type {pg.Client | null} */
let client = null

/**
 * Several hosts are asked at the same moment: the first one whose database takes writes is taken.
 * @returns {Promise<pg.Client>}
 */
async function connect() {
  if (typeof target.host === 'string') return connectTo(target.host)
  return Promise.any(
    target.host.map(async (/** @type {string} */ host) => {
      const fresh = await connectTo(host)
      const { rows } = await fresh.query('select pg_is_in_recovery() as standby')
      if (!rows[0].standby) return fresh
      fresh.end().catch(() => {})
      throw new Error(`${host} is a standby`)
    }),
  )
}

async function connectTo(/** @type {string} */ host) {
  const fresh = new pg.Client({
    ...target,
    host,
    connectionTimeoutMillis: ATTEMPT_MS,
    query_timeout: ATTEMPT_MS,
  })
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
    // Said before it is done: what is sent is known also when we die with it under way.
    say({ value, sentAt: now() })
    const { rows } = await client.query(
      `insert into written (value) values ($1)
       returning host(inet_server_addr()) as server, substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) as timeline`,
      [value],
    )
    say({ ok: true, value, at: now(), ...rows[0] })
  } catch (error) {
    say({ ok: false, value, at: now(), error: /** @type {Error} */ (error).message })
    // With a query under way this closes the connection. A cancelled wait for a standby would count as a success.
    client?.end().catch(() => {})
    client = null
  }
  await sleep(pauseMs)
}
process.exit(0)
