import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'

const ITERATIONS = 4096

/**
 * For a long random password. Iterations make guessing slow (RFC 7677), and nobody guesses 192 random bits. Each login takes
 * the client as many: with 4096 they were two thirds of what one took repmgrd, and it logs in every two seconds.
 */
export const RANDOM_ITERATIONS = 1

/**
 * The SCRAM-SHA-256 secret of a password in the form in which PostgreSQL keeps it (RFC 5803,
 * https://www.postgresql.org/docs/current/catalog-pg-authid.html). PgBouncer passes a login on only if it has the very same
 * secret, so the salt is derived and not drawn: every machine computes the same text. That is safe because the passwords
 * are long and random.
 */
export function scramSecret(user: string, password: string, iterations = ITERATIONS): string {
  const salt = createHash('sha256').update(`understudy:${user}:${password}`).digest().subarray(0, 16)
  return secretWith(password, salt, iterations)
}

/** Is this what PostgreSQL keeps of the password, SCRAM or MD5? */
export function isSecretOf(user: string, password: string, secret: string): boolean {
  const [, iterations, salt = ''] = /^SCRAM-SHA-256\$(\d+):([^$]+)\$/.exec(secret) ?? []
  if (iterations !== undefined)
    return secretWith(password, Buffer.from(salt, 'base64'), Number(iterations)) === secret
  return (
    secret ===
    `md5${createHash('md5')
      .update(password + user)
      .digest('hex')}`
  )
}

function secretWith(password: string, salt: Buffer, iterations: number): string {
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256')
  const hmac = (text: string): Buffer => createHmac('sha256', salted).update(text).digest()
  const storedKey = createHash('sha256').update(hmac('Client Key')).digest('base64')
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${storedKey}:${hmac('Server Key').toString('base64')}`
}
