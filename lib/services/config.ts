import { createHash } from 'node:crypto'
import { taskPaths } from '../tasks/manifest.ts'
import { CHECK_PORT, type Service, servicesPaths, servicesUnits } from './manifest.ts'

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

/** Lets a unit start under its lock only, on the active machine, and tells it the epoch. */
const renderLockedGuard = (unit: string): string =>
  `# Written by understudy: this unit runs under the lock of its service only.
[Unit]
ConditionPathExists=${taskPaths.locked(unit)}

[Service]
EnvironmentFile=-${taskPaths.locked(unit)}
`

/** A day, which is as long as understudy lock waits; then it is started again. */
const LOCK_WAIT_S = 86_400

/** What `understudy-locked@NAME` runs. */
const renderLocked = (name: string, unit: string): string =>
  `# Written by understudy: the service ${name} runs under its lock.
[Service]
ExecStart=
ExecStart=/usr/bin/understudy lock service.${name} --timeout ${LOCK_WAIT_S} --unit ${unit}
`

/** The units of a service. The first one is started for it: its own, or what runs that one under its lock. */
export const unitsFor = (name: string, { unit, exclusive }: Service): [string, ...string[]] =>
  exclusive ? [servicesUnits.locked(name), unit] : [unit]

/** The drop-ins of a service by the unit that they belong to. */
export function guardsOf(name: string, { unit, run, exclusive }: Service): Record<string, string> {
  if (exclusive)
    return { [unit]: renderLockedGuard(unit), [servicesUnits.locked(name)]: renderLocked(name, unit) }
  return run === 'active' ? { [unit]: renderGuard() } : {}
}

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
