import { createHash } from 'node:crypto'
import { CHECK_PORT, type Service, servicesPaths } from './manifest.ts'

/** How often Consul looks at a service, in seconds. */
const CHECK_EVERY_S = 5
/** How long it may take to answer; a command is ended a second earlier. */
const ANSWER_S = 4

/** Lets a unit start on the active machine only: neither a boot nor a person nor an upgrade of its package starts it elsewhere. */
export const renderGuard = (): string =>
  `# Written by understudy: this unit runs on the active machine only.
[Unit]
ConditionPathExists=${servicesPaths.active}
`

/** How a service is looked at: by Consul itself, or by a command that is run for it. */
export type CheckKind = { http: string } | { tcp: number } | { command: string }

/** What a check of this text is; null: none of the three forms. Without a text the check asks whether the unit runs. */
export function kindOf({ check, unit }: Pick<Service, 'check' | 'unit'>): CheckKind | null {
  if (check === null) return { command: `systemctl is-active -- '${unit}'` }
  if (/^https?:\/\//.test(check)) return isUrl(check) ? { http: check } : null
  const [, port] = /^tcp:(.*)$/.exec(check) ?? []
  if (port !== undefined)
    return /^[1-9]\d{0,4}$/.test(port) && Number(port) <= 65_535 ? { tcp: Number(port) } : null
  return check.trim() === '' || /[\0\n\r]/.test(check) ? null : { command: check }
}

function isUrl(text: string): boolean {
  try {
    return new URL(text).hostname !== '' && !/\s/.test(text)
  } catch {
    return false
  }
}

/** What the check of a service runs, or null where Consul looks at it without a command. */
export function renderCommand(service: Service): string | null {
  const kind = kindOf(service)
  return kind !== null && 'command' in kind ? `${kind.command}\n` : null
}

const PREFIX = 'service-'

/** The id of a service in Consul's agent, and of its check. */
export const idOf = (name: string): string => PREFIX + name

/** The name of a service from its id, or null where it is none of the operator's. */
export const nameOf = (id: string): string | null => (id.startsWith(PREFIX) ? id.slice(PREFIX.length) : null)

/** What Consul's agent is told of a service that runs on this machine, see https://developer.hashicorp.com/consul/api-docs/agent/service. */
export function registrationOf(name: string, service: Service): { ID: string; Meta: { understudy: string } } {
  const kind = kindOf(service)
  const look =
    kind === null || 'command' in kind
      ? { HTTP: `http://127.0.0.1:${CHECK_PORT}/${name}` }
      : 'http' in kind
        ? { HTTP: kind.http }
        : { TCP: `127.0.0.1:${kind.tcp}` }
  const registration = {
    ...{ ID: idOf(name), Name: name, ...portOf(kind) },
    Check: {
      ...{ CheckID: idOf(name), Name: `The service ${name} of the operator`, ...look },
      ...{ Interval: `${CHECK_EVERY_S}s`, Timeout: `${ANSWER_S}s` },
    },
  }
  return { ...registration, Meta: { understudy: digestOf(registration) } }
}

/** The port that Consul's DNS gives: that of the check, if it looks at this machine. */
function portOf(kind: CheckKind | null): { Port?: number } {
  if (kind === null || 'command' in kind) return {}
  if ('tcp' in kind) return { Port: kind.tcp }
  const { hostname, port, protocol } = new URL(kind.http)
  if (!['localhost', '127.0.0.1', '[::1]'].includes(hostname)) return {}
  return { Port: Number(port) || (protocol === 'https:' ? 443 : 80) }
}

/** By which a registration is recognised as this one. */
const digestOf = (value: unknown): string =>
  createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16)
