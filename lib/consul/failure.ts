import { EXIT, UnderstudyError } from '../core/errors.ts'
import { HttpError } from '../core/http.ts'

/** A request that Consul's ACLs refuse. In a transaction it is answered as a condition that failed (409), with these words. */
const DENIED = /permission denied|acl not found/i

/** Tells apart what a call of Consul that failed means: no answer, denied, malformed or refused. */
export function failureOf(what: string, cause: unknown): UnderstudyError {
  if (cause instanceof SyntaxError)
    return new UnderstudyError(EXIT.data, `could not ${what} in Consul: the answer is not JSON`, { cause })
  if (!(cause instanceof HttpError))
    return new UnderstudyError(EXIT.unavailable, `could not ${what}: Consul does not answer`, { cause })
  const { statusCode } = cause
  if (isDenied(cause))
    return new UnderstudyError(
      EXIT.config,
      `Consul denied this machine the right to ${what}; check Consul's ACL rules`,
      { cause },
    )
  if (statusCode >= 500 || statusCode === 429)
    return new UnderstudyError(EXIT.unavailable, `could not ${what} in Consul`, { cause })
  return new UnderstudyError(EXIT.failed, `could not ${what}: Consul refused the request`, { cause })
}

/** A transaction whose conditions did not hold. */
export const isConflict = (cause: unknown): boolean =>
  cause instanceof HttpError && cause.statusCode === 409 && !isDenied(cause)

export const isNotFound = (cause: unknown): boolean => cause instanceof HttpError && cause.statusCode === 404

const isDenied = ({ statusCode, message }: HttpError): boolean =>
  statusCode === 403 || (statusCode === 409 && DENIED.test(message))
