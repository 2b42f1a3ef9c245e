#!/usr/bin/env zx
// understudy search: makes the search servers that the operator has installed a part of a cluster that was begun without them.
import { Consul } from '#lib/consul/client'
import { enablePart, parseEnable } from '#lib/consul/optional-part'
import { runCommand } from '#lib/core/arguments'
import { requireRoot } from '#lib/core/root'
import { requireSettings } from '#lib/core/settings'
import { awaitEnabled } from '#lib/operations/enable'
import { refuseSearch } from '#lib/search/join'
import { claimCluster } from '#lib/search/join-clustered'
import { searchPart, searchPaths } from '#lib/search/manifest'
import { SEARCH_PLACE, searchPlace } from '#lib/search/options'

const help = `understudy search: make OpenSearch or Elasticsearch a part of the cluster

  understudy search enable local
  understudy search enable clustered     run it on one member; every member needs a search server that you have installed

With local, every machine runs a search server of its own. Nothing is replicated: the indices of a machine are on that machine
alone. Its settings stay as they are.

With clustered, the servers of all machines are one cluster. This machine founds it and keeps its indices. A server of another
machine that has indices of its own is refused. understudy adds some lines to the settings of each, and restarts it. Where a
setting of yours says otherwise, it is refused.

  --search-unit UNIT          unit of the server (default: opensearch or elasticsearch)
  --search-config DIRECTORY   directory of its settings (default: /etc/opensearch or /etc/elasticsearch)
  --help                      print this text

A server that wants a password needs it in /etc/understudy/search.login on every member, before: one line USER:PASSWORD, root:consul,
mode 640.

The first machine of a new cluster can choose the mode when it joins, see understudy join --help.

Exit codes:
  0   the search server answers on every member, or those on which it does not are named
  64  wrong arguments; nothing was changed
  78  not a member, not root, there is no such server here, or it cannot be used; nothing was changed
  69  Consul does not answer
  75  this machine took too long; its check says how it goes on

Examples:
  understudy search enable local
  understudy search enable clustered --search-unit search --search-config /srv/search/config
`

/** @param {string[]} argv */
async function main(argv) {
  const { mode, values } = parseEnable('search', argv, SEARCH_PLACE)
  const place = searchPlace(values)
  const settings = requireSettings()
  requireRoot()
  const { kvPrefix, node } = settings
  const consul = new Consul({ prefix: kvPrefix })
  // Of a cluster that has them already, this machine knows where they are.
  const server = await refuseSearch({ ...settings, ...place, search: mode }, settings, consul)
  // The machine on which it was asked founds the cluster, so that its indices are kept.
  if (mode === 'clustered' && settings.search === undefined) await claimCluster(consul, server, node)
  await enablePart(consul, searchPart, mode, place)
  const { configured } = searchPaths
  await awaitEnabled({ consul, node }, searchPart, { mode, configured }, (line) =>
    process.stdout.write(`${line}\n`),
  )
}

await runCommand('understudy search', help, main)
