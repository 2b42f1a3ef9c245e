/** What a run has asked: see docs/adr/0045-what-was-in-order-is-asked-again.md. */

/**
 * One line each for `quick-check`, which asks the same again and compares the answers. The fields of a question follow its kind:
 * `consul` and `syncthing`: method, path, body (with NOW for the time), and as a pattern what of Consul's answer does not count, or what
 * of Syncthing's does; `database`: directory of the socket, port, user, database, options of the session if there are any; `sql`: the
 * first four, the statement, and the columns that count if not all do; `record`: the same as the first five, and a transaction of Consul
 * with VALUE for what the statement gives, which is sent where that is new; `file`: path, and what of it does not count, as a pattern;
 * `renew`: a path, its age in seconds, and a unit that is started when it is older; `unit`: name; `process`: id; `addresses`: none.
 */
export type Kind =
  | 'consul'
  | 'syncthing'
  | 'database'
  | 'sql'
  | 'record'
  | 'file'
  | 'unit'
  | 'process'
  | 'addresses'
  | 'renew'

const asked = new Set<string>()
let isRepeatable = true

/** Keeps a question that this process asks. */
export function keepQuestion(kind: Kind, ...fields: readonly (string | number)[]): void {
  asked.add([kind, ...fields.map((field) => String(field).trim().replaceAll(/\s+/g, ' '))].join('\t'))
}

/** This process has asked something that `quick-check` cannot ask, or has changed something. */
export function keepNothing(): void {
  isRepeatable = false
}

/**
 * Everything that this process has asked, one question a line, in an order that does not depend on which answer came first; null where
 * that is not all of it.
 */
export const keptQuestions = (): string | null =>
  isRepeatable ? [...[...asked].sort(), ''].join('\n') : null
