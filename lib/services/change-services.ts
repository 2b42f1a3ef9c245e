import { isDeepStrictEqual } from 'node:util'
import { usageError } from '../core/errors.ts'
import type { Service, ServicesDocument } from './manifest.ts'

/** The list of a cluster that has no service yet. */
export const NO_SERVICES: ServicesDocument = { schema: 1, services: {} }

/**
 * The document with one more service. The same one again changes nothing.
 * @param taken the names of all services that Consul knows. @throws where the name or the unit is taken.
 */
export function withService(
  { services }: ServicesDocument,
  name: string,
  service: Service,
  taken: readonly string[],
): { document: ServicesDocument } {
  const there = services[name]
  if (there !== undefined && !isDeepStrictEqual(there, service))
    throw usageError(`there is a service ${name} already; remove it first to change it`)
  if (there === undefined && taken.includes(name))
    throw usageError(`the name ${name} is taken by another service in Consul; choose another one`)
  const [other] =
    Object.entries(services).find(([key, { unit }]) => key !== name && unit === service.unit) ?? []
  if (other !== undefined) throw usageError(`${service.unit} is already the unit of the service ${other}`)
  return { document: { schema: 1, services: { ...services, [name]: service } } }
}

/** The document without a service. @throws where there is none of this name. */
export function withoutService({ services }: ServicesDocument, name: string): { document: ServicesDocument } {
  if (!Object.hasOwn(services, name)) {
    const names = Object.keys(services).sort().join(', ') || 'none'
    throw usageError(`there is no service ${name}; the services are: ${names}`)
  }
  const { [name]: _removed, ...rest } = services
  return { document: { schema: 1, services: rest } }
}
