#!/usr/bin/env zx
// understudy databases: lists and changes what is behind PgBouncer on every machine.
import { readBehind } from '#lib/consul/behind'
import { Consul } from '#lib/consul/client'
import { runCommand } from '#lib/core/arguments'
import { requireRoot } from '#lib/core/root'
import { requireSettings } from '#lib/core/settings'
import { changePooled, withDatabases, withoutDatabase, withSettings } from '#lib/pooler/change'
import { parseDatabasesCommand } from '#lib/pooler/options'

const help = `understudy databases: list and change what is behind PgBouncer (port 6432), on every machine of the cluster

  understudy databases list [--json]
  understudy databases add DATABASE...       a database that exists, or that you create afterwards in SQL
  understudy databases remove DATABASE...    its clients are disconnected; the database stays
  understudy databases set NAME=VALUE...     settings of PgBouncer; NAME= chooses the default again

Settings, see https://www.pgbouncer.org/config.html:
  pool_mode, max_client_conn, default_pool_size, min_pool_size, reserve_pool_size, reserve_pool_timeout,
  max_db_connections, max_user_connections, query_timeout, query_wait_timeout, client_idle_timeout,
  client_login_timeout, idle_transaction_timeout, server_idle_timeout, server_lifetime, ignore_startup_parameters

Every machine takes a change over within half a minute.

  --json             print the list as one JSON object
  --help             print this text

Exit codes:
  0   done
  64  wrong arguments; nothing was changed
  78  not a member, or not root; nothing was changed
  69  Consul does not answer
  75  other machines kept changing the same settings; try again

Examples:
  understudy databases add reports
  understudy databases set default_pool_size=80 pool_mode=transaction
  understudy databases set pool_mode=
`

const print = (/** @type {string} */ line) => process.stdout.write(`${line}\n`)

/** @param {string[]} argv */
async function main(argv) {
  const command = parseDatabasesCommand(argv)
  const { kvPrefix, database } = requireSettings()
  requireRoot()
  const consul = new Consul({ prefix: kvPrefix })
  if (command.verb === 'add') await changePooled(consul, (pooled) => withDatabases(pooled, command.names))
  if (command.verb === 'remove')
    await changePooled(consul, (pooled) => command.names.reduce(withoutDatabase, pooled))
  if (command.verb === 'set') await changePooled(consul, (pooled) => withSettings(pooled, command.changes))
  const behind = await readBehind(consul, database)
  if (command.verb === 'list' && command.json) {
    print(JSON.stringify({ schema: 1, ...behind }, null, 2))
    return
  }
  for (const name of behind.databases) print(name)
  for (const [name, value] of Object.entries(behind.settings)) print(`  ${name} = ${value}`)
}

await runCommand('understudy databases', help, main)
