import type { SearchCluster, SearchKind } from './manifest.ts'

/** What a machine has of a search server, before it becomes a clustered one. */
export interface SearchHere {
  node: string
  kind: SearchKind
  /** What understudy has begun with it already; null: nothing. */
  note: string | null
  /** A directory of its data that has something in it; null where there is none. */
  data: string | null
  /** What the running server says; null where it does not run. */
  holds: { uuid: string; indices: readonly string[] } | null
  /** Has the list of the other servers an address that the operator wrote? */
  ownHosts: boolean
}

/**
 * Why the search server of this machine cannot be a member of the cluster of search servers, in one sentence, or null. A server
 * that joins another cluster loses its own indices, so one that may have any is refused.
 * @param cluster null: this machine founds it.
 */
export function whyNoMember(here: SearchHere, cluster: SearchCluster | null): string | null {
  if (cluster !== null && cluster.kind !== here.kind)
    return `this machine has ${here.kind}, and the search servers of the cluster are ${cluster.kind}; install the same`
  if (here.note !== null) return null
  if (here.ownHosts)
    return 'unicast_hosts.txt of the search server here has addresses that are not from understudy; move that file away'
  if (here.data === null || cluster === null || cluster.founder === here.node) return null
  if (here.holds === null)
    return `the search server here has data in ${here.data} and does not answer, so that nobody can see whether it has indices; start it, or move the data away if you do not need it`
  if (here.holds.uuid === cluster.uuid) return null
  const [first] = here.holds.indices
  return first === undefined
    ? `the search server here has a cluster of its own, without indices; stop it and move ${here.data} away`
    : `the search server here has the index ${first}, which joining would lose; stop it and move ${here.data} away if you do not need it`
}
