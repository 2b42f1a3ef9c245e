import { kindOf } from './config.ts'

/** Names that every object of JavaScript has: valibot drops them from a record. */
const RESERVED = ['constructor', 'prototype']
const NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/

/** Why this is no name of a service, or null. It becomes a name in Consul's DNS. */
export function nameProblem(name: string): string | null {
  if (NAME.test(name) && !RESERVED.includes(name)) return null
  return `the name of a service has up to 63 of a-z, 0-9 and "-", and begins and ends with a letter or digit; it cannot be ${JSON.stringify(name.slice(0, 80))}`
}

/** Units of the system or of a daemon of the cluster, besides those that a manifest names. */
const SYSTEM =
  /^(understudy-|systemd-|dbus|polkit|consul|keepalived|pgbouncer|postgresql|repmgr|syncthing|rabbitmq|epmd|init|user@|getty|serial-getty|network|ssh\.|ssh@|sshd|cron\.)/

/** Why this unit cannot be a service of the operator, or null. @param ours units that the cluster starts and stops itself. */
export function unitProblem(unit: string, ours: readonly string[]): string | null {
  if (!/^[A-Za-z0-9:_.\\@-]{1,240}\.(service|socket|timer|target|path)$/.test(unit))
    return `${JSON.stringify(unit.slice(0, 80))} is not the name of a service, socket, timer, target or path unit`
  if (/@\.[a-z]+$/.test(unit)) return `${unit} is a template; name an instance of it`
  if (SYSTEM.test(unit) || ours.includes(unit))
    return `${unit} is a unit of the system or of the cluster itself`
  return null
}

/** Why this cannot be a check, or null. Whether a command is there, only the machine knows. */
export function checkProblem(check: string): string | null {
  if (check.length > 1000) return 'a check has up to 1000 characters'
  if (kindOf({ check, unit: '' }) !== null) return null
  return `a check is http://..., https://..., tcp:PORT, or a command in one line; it cannot be ${JSON.stringify(check.slice(0, 80))}`
}
