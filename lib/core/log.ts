/** One JSON line to stderr: stdout belongs to the caller's protocol. */
export function log(handler: string, fields: Readonly<Record<string, unknown>>): void {
  process.stderr.write(`${JSON.stringify({ at: new Date().toISOString(), handler, ...fields })}\n`)
}
