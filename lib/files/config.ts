import { isDeepStrictEqual } from 'node:util'
import type { Folder } from './manifest.ts'

export const SYNCTHING_PORT = 22000
export const SYNCTHING_API_PORT = 8384

/** Part of a JSON object of Syncthing's REST API. */
export type Values = Readonly<Record<string, unknown>>

/** Where a member's Syncthing is reached. */
export const syncthingAddress = (address: string): string => `tcp://${address}:${SYNCTHING_PORT}`

/**
 * It listens to the members and finds them through Consul alone: no discovery, relays, NAT traversal (and with it no STUN),
 * reports or upgrades. See https://docs.syncthing.net/users/config.html.
 */
export const wantedOptions = (address: string): Values => ({
  listenAddresses: [syncthingAddress(address)],
  globalAnnounceEnabled: false,
  localAnnounceEnabled: false,
  relaysEnabled: false,
  natEnabled: false,
  urAccepted: -1,
  autoUpgradeIntervalH: 0,
  crashReportingEnabled: false,
  startBrowser: false,
  // A member that was away is looked for this often, in seconds.
  reconnectionIntervalS: 5,
})

/**
 * config.xml for the very first start, which must not reach out either. Of an older version than any Syncthing that we run
 * with, which adds what is missing. Without a password anybody on this machine could use the API: Syncthing asks a browser for
 * nothing else.
 */
export function renderSyncthing(
  address: string,
  { apiKey, user, passwordHash }: { apiKey: string; user: string; passwordHash: string },
): string {
  const options = Object.entries(wantedOptions(address)).map(([name, value]) =>
    Array.isArray(value) ? `<listenAddress>${value.join('')}</listenAddress>` : `<${name}>${value}</${name}>`,
  )
  return `<configuration version="35">
  <gui enabled="true" tls="false">
    <address>127.0.0.1:${SYNCTHING_API_PORT}</address>
    <user>${user}</user>
    <password>${passwordHash}</password>
    <apikey>${apiKey}</apikey>
  </gui>
  <options>
    ${options.join('\n    ')}
  </options>
</configuration>
`
}

/** A member as Syncthing should know it; of ourselves only the name. */
export const wantedDevice = (deviceId: string, name: string, address: string | null): Values => ({
  deviceID: deviceId,
  name,
  ...(address === null
    ? {}
    : { addresses: [syncthingAddress(address)], introducer: false, autoAcceptFolders: false, paused: false }),
})

/** A year, in seconds: how long old versions are kept, ever fewer of them. */
const VERSIONS_S = 365 * 24 * 3600
const VERSIONING = {
  type: 'staggered',
  params: { maxAge: String(VERSIONS_S) },
  cleanupIntervalS: 3600,
  fsPath: '',
  fsType: 'basic',
}
const NO_VERSIONING = { ...VERSIONING, type: '', params: {} }

/** A folder as Syncthing should have it, shared with these devices. */
export const wantedFolder = (label: string, folder: Folder, deviceIds: readonly string[]): Values => ({
  id: folder.id,
  label,
  path: folder.path,
  type: 'sendreceive',
  devices: [...deviceIds].sort().map((deviceID) => ({ deviceID })),
  paused: false,
  // The watcher tells; a rescan is for what it misses.
  rescanIntervalS: 3600,
  fsWatcherEnabled: true,
  fsWatcherDelayS: 1,
  ignorePerms: false,
  // A file belongs to whom its directory belongs to, also where that user has another number.
  copyOwnershipFromParent: true,
  // No version of a file is dropped, however often it is written on both sides of a partition.
  maxConflicts: -1,
  versioning: folder.versioning ? VERSIONING : NO_VERSIONING,
})

/** What of `wanted` Syncthing has otherwise; null where nothing. Of the devices of a folder only the ids are compared. */
export function difference(wanted: Values, has: Values): Values | null {
  const differing = Object.entries(wanted).filter(
    ([name, value]) => !isDeepStrictEqual(comparable(name, value), comparable(name, has[name])),
  )
  return differing.length === 0 ? null : Object.fromEntries(differing)
}

function comparable(name: string, value: unknown): unknown {
  if (name === 'devices' && Array.isArray(value))
    return value.map(({ deviceID }: { deviceID: string }) => deviceID).sort()
  if (name === 'versioning') return (value as { type?: string } | undefined)?.type
  return value
}
