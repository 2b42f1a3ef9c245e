/**
 * A position in the write-ahead log as a number that can be compared. PostgreSQL prints the high and low 32 bits in
 * hexadecimal ("16/B374D848"), see https://www.postgresql.org/docs/current/datatype-pg-lsn.html.
 * @throws {TypeError} on anything else.
 */
export function parseLsn(text: string): bigint {
  const [, high, low] = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/.exec(text) ?? []
  if (high === undefined || low === undefined)
    throw new TypeError(`not a position in the write-ahead log: ${text}`)
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`)
}

/** Such a number as PostgreSQL prints it. */
export const formatLsn = (lsn: bigint): string =>
  `${(lsn >> 32n).toString(16)}/${(lsn & 0xffffffffn).toString(16)}`.toUpperCase()
