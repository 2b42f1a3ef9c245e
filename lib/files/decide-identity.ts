import { createHash } from 'node:crypto'
import type { SyncthingNode } from './manifest.ts'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** The id by which the others know the Syncthing with this certificate (https://docs.syncthing.net/dev/device-ids.html). */
export function deviceIdOf(certificatePem: string): string {
  const der = Buffer.from(certificatePem.replace(/-----[^-]+-----/g, ''), 'base64')
  const bits = [...createHash('sha256').update(der).digest()]
    .map((byte) => byte.toString(2).padStart(8, '0'))
    .join('')
    .padEnd(260, '0')
  const digits = (bits.match(/.{5}/g) ?? []).map((five) => Number.parseInt(five, 2))
  const parts = [0, 13, 26, 39].map((start) => digits.slice(start, start + 13))
  const checked = parts.flatMap((part) => [...part, checkDigit(part)])
  const text = checked.map((digit) => ALPHABET[digit]).join('')
  return (text.match(/.{7}/g) ?? []).join('-')
}

/** Nearly Luhn's: every second digit counts twice, from the left. */
function checkDigit(digits: readonly number[]): number {
  const sum = digits.reduce((before, digit, index) => {
    const addend = digit * (1 + (index % 2))
    return before + Math.floor(addend / 32) + (addend % 32)
  }, 0)
  return (32 - (sum % 32)) % 32
}

/** Why a machine cannot have this device because another one has it, or null. */
export function identityProblem(
  node: string,
  deviceId: string,
  members: ReadonlyMap<string, SyncthingNode>,
): string | null {
  const other = [...members].find(([name, member]) => name !== node && member.deviceId === deviceId)?.[0]
  if (other === undefined) return null
  return `${node} has the Syncthing identity of ${other}, as a copy of that machine has; remove /var/lib/understudy/syncthing here, and run understudy join again`
}
