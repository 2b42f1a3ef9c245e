import { readText } from '../core/atomic-files.ts'
import { EXIT, UnderstudyError } from '../core/errors.ts'
import { tryRun } from '../core/exec.ts'
import { renderCurl } from './config.ts'
import { searchPaths } from './manifest.ts'

/** A busy server answers within some seconds. */
const ASK_MS = 10_000
/** curl gives up by itself before. */
const CURL_MS = 3000
/** Of an error, so much says what it is. */
const SAID = 300

/** Where the server of this machine answers. */
export interface SearchAddress {
  url: string
  /** File of whose certificate it shows; null without TLS. */
  authority: string | null
}

/** The search server of this machine, by curl: whatever TLS and password it wants, and nothing of them in argv. */
export class SearchServer {
  readonly #address: SearchAddress

  constructor(address: SearchAddress) {
    this.#address = address
  }

  /** What its cluster calls itself; null where it has none yet. */
  async uuid(): Promise<string | null> {
    const { cluster_uuid: uuid = '_na_' } = (await this.#ask('GET', '/')) as { cluster_uuid?: string }
    return uuid === '_na_' ? null : uuid
  }

  /** Has it an elected master? Asks that one, not only what this server remembers. @throws where it has none. */
  async health(): Promise<void> {
    await this.#ask('GET', '/_cluster/health?timeout=5s')
  }

  /** The names of all indices, those of the server itself too. */
  async indices(): Promise<string[]> {
    const said = await this.#ask('GET', '/_cat/indices?format=json&h=index&expand_wildcards=all')
    return (said as { index: string }[]).map(({ index }) => index).sort()
  }

  /** What this server calls itself in the cluster. It keeps that with its data. */
  async id(): Promise<string> {
    const said = await this.#ask('GET', '/_nodes/_local?filter_path=nodes.*.name')
    const [id] = Object.keys((said as { nodes: object }).nodes)
    if (id === undefined) throw new UnderstudyError(EXIT.failed, 'the search server does not tell its id')
    return id
  }

  /** Ids of servers that have no vote. */
  async withoutVote(): Promise<string[]> {
    const path = '/_cluster/state/metadata?filter_path=metadata.cluster_coordination.voting_config_exclusions'
    const said = (await this.#ask('GET', path)) as {
      metadata?: { cluster_coordination?: { voting_config_exclusions?: { node_id: string }[] } }
    }
    return said.metadata?.cluster_coordination?.voting_config_exclusions?.map((one) => one.node_id) ?? []
  }

  /** Takes the vote away from servers with these ids. */
  async excludeFromVote(ids: readonly string[]): Promise<void> {
    await this.#ask(
      'POST',
      `/_cluster/voting_config_exclusions?timeout=5s&node_ids=${ids.map(encodeURIComponent).join(',')}`,
    )
  }

  /** Gives every server its vote back. */
  async voteAgain(): Promise<void> {
    await this.#ask('DELETE', '/_cluster/voting_config_exclusions?wait_for_removal=false')
  }

  /** The names that indices are kept away from. */
  async withoutShards(): Promise<string[]> {
    const said = (await this.#ask('GET', '/_cluster/settings?flat_settings=true')) as {
      persistent: Record<string, string>
    }
    return (said.persistent[EXCLUDED] ?? '').split(',').filter((name) => name !== '')
  }

  /** Keeps indices away from servers of these names, and from no others. */
  async excludeFromShards(names: readonly string[]): Promise<void> {
    await this.#ask('PUT', '/_cluster/settings', {
      persistent: { [EXCLUDED]: names.length === 0 ? null : names.join(',') },
    })
  }

  async #ask(method: string, path: string, body?: object): Promise<unknown> {
    const { url, authority } = this.#address
    const login = readText(searchPaths.login)?.split('\n')[0] || null
    const data =
      body === undefined ? [] : ['--header', 'content-type: application/json', '--data', JSON.stringify(body)]
    const ran = await tryRun(
      '/usr/bin/curl',
      [
        ...['--silent', '--show-error', '--noproxy', '*', '--max-time', String(ASK_MS / 1000)],
        ...['--config', '-', '--request', method, '--write-out', '\n%{http_code}', ...data, url + path],
      ],
      { input: renderCurl(authority, login), timeoutMs: ASK_MS + CURL_MS },
    )
    const [, text = '', status = ''] = /^([\s\S]*)\n(\d+)$/.exec(ran.stdout.trimEnd()) ?? []
    if (ran.exitCode !== 0)
      throw new UnderstudyError(
        EXIT.unavailable,
        `the search server at ${url} does not answer: ${ran.stderr.trim()}`,
      )
    if (status === '401' || status === '403')
      throw new UnderstudyError(
        EXIT.config,
        `the search server at ${url} wants another login; write USER:PASSWORD into ${searchPaths.login}`,
      )
    if (!status.startsWith('2'))
      throw new UnderstudyError(
        status === '503' ? EXIT.unavailable : EXIT.failed,
        `the search server at ${url} answers ${method} ${path.split('?')[0]} with ${status}: ${text.slice(0, SAID)}`,
      )
    return text.trim() === '' ? null : JSON.parse(text)
  }
}

const EXCLUDED = 'cluster.routing.allocation.exclude._name'
