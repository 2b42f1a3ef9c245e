import type { Seats } from '../consul/schemas.ts'

/** What a file of ours begins with. */
const OURS = '# Written by understudy; changes are lost.'
const BEGIN = '# Begin of what understudy has added; changes are lost.'
const END = '# End of what understudy has added.'

/** Where the servers of all members are, see the provider `file` of discovery.seed_providers: one address a line. */
export const renderHosts = ({ seats }: Seats): string =>
  [
    OURS,
    ...Object.values(seats)
      .map(({ address }) => address)
      .sort(),
    '',
  ].join('\n')

/** Has such a file an address that we have not written? */
export const hasOwnHosts = (text: string): boolean =>
  !text.startsWith(OURS) && text.split('\n').some((line) => line.trim() !== '' && !line.startsWith('#'))

/** Settings as lines of our own in a file of YAML, each with its whole name. */
export const renderSettings = (settings: ReadonlyMap<string, string | readonly string[]>): string =>
  [...settings].map(([name, value]) => `${name}: ${JSON.stringify(value)}\n`).join('')

/** The operator's file without our lines. */
export function withoutOurs(text: string): string {
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)]
  if (from < 0 || to < from) return text
  return text.slice(0, from) + text.slice(to + END.length).replace(/^\n/, '')
}

/** The operator's file with these lines of ours at its end. */
export function withOurs(text: string, lines: string): string {
  const theirs = withoutOurs(text)
  if (lines === '') return theirs
  const separator = theirs === '' || theirs.endsWith('\n') ? '' : '\n'
  return `${theirs}${separator}${BEGIN}\n${lines}${END}\n`
}

/** What the shell script of the check reads. @param authority file of whose certificate it shows; null without TLS. */
export const renderServer = (url: string, authority: string | null): string =>
  `${OURS}\nURL=${url}\n${authority === null ? '' : `CA=${authority}\n`}`

/** The certificates in a file of PEM, and nothing else of it. */
export const certificatesIn = (text: string): string =>
  (text.match(/-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g) ?? [])
    .map((certificate) => `${certificate}\n`)
    .join('')

/**
 * Options for curl that are in no argv, see --config in curl(1).
 * @param login USER:PASSWORD, as the operator has written it.
 */
export const renderCurl = (authority: string | null, login: string | null): string =>
  [
    ...(authority === null ? [] : [`cacert = ${quoted(authority)}\n`]),
    ...(login === null ? [] : [`user = ${quoted(login)}\n`]),
  ].join('')

const quoted = (text: string): string => `"${text.replace(/[\\"]/g, '\\$&')}"`
