import type { SearchKind } from './manifest.ts'

export interface ServerFacts {
  /** What the cluster's settings name; null: what the packages have. */
  named: { unit: string | null; directory: string | null }
  /** Directories that have the settings of a search server, of those that were looked into. */
  found: readonly { directory: string; kind: SearchKind }[]
}

/** Where a search server and its settings are. */
export interface ServerPlace {
  kind: SearchKind
  directory: string
  /** Its unit of systemd. */
  unit: string
}

/** Which search server of this machine is meant. @returns why that cannot be told, in one sentence, or it. */
export function chooseServer({ named, found }: ServerFacts): { why: string } | ServerPlace {
  const [first, second] = found
  if (first === undefined)
    return {
      why:
        named.directory === null
          ? 'there is no search server here: neither /etc/opensearch/opensearch.yml nor /etc/elasticsearch/elasticsearch.yml; install OpenSearch or Elasticsearch first, or name its directory with --search-config'
          : `${named.directory} has neither opensearch.yml nor elasticsearch.yml; name the directory of the search server's settings with --search-config`,
    }
  if (second !== undefined)
    return {
      why: `there are settings of two search servers here, in ${first.directory} and ${second.directory}; name one of them with --search-config`,
    }
  return { ...first, unit: `${named.unit ?? first.kind}.service` }
}
