import { isDeepStrictEqual } from 'node:util'
import type { Folder } from './manifest.ts'

export const SYNCTHING_PORT = 22000
export const SYNCTHING_API_PORT = 8384

/** Part of a JSON object of Syncthing's REST API. */
export type Values = Readonly<Record<string, unknown>>

/** The address of a member's Syncthing. */
export const syncthingAddress = (address: string): string => `tcp://${address}:${SYNCTHING_PORT}`

/**
 * Syncthing knows the addresses of the members from Consul only. Discovery, relays, NAT traversal (and with it STUN), usage
 * reports and upgrades are off. See https://docs.syncthing.net/users/config.html.
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
  // How often to try a member that is away, in seconds.
  reconnectionIntervalS: 5,
})

/**
 * config.xml for the first start, which must not connect to anything outside the cluster either. Its version is older than that
 * of every supported Syncthing, which adds what is missing. The password is needed because without it, a browser on this machine
 * could use the API without any key.
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

/** A device as Syncthing should have it. `address` is null for this machine, of which only the name is set. */
export const wantedDevice = (deviceId: string, name: string, address: string | null): Values => ({
  deviceID: deviceId,
  name,
  ...(address === null
    ? {}
    : { addresses: [syncthingAddress(address)], introducer: false, autoAcceptFolders: false, paused: false }),
})

/** A year: how long old versions of a file are kept, fewer of them with increasing age. */
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
  // The watcher reports changes, and a rescan finds what it missed.
  rescanIntervalS: 3600,
  fsWatcherEnabled: true,
  fsWatcherDelayS: 1,
  ignorePerms: false,
  // A name stays what its writer chose: Syncthing would rename the file under it.
  autoNormalize: false,
  // A new file gets the owner of its directory, even if that user has another uid on this machine.
  copyOwnershipFromParent: true,
  // Keep every conflict file, however often a file changes on both sides of a partition.
  maxConflicts: -1,
  versioning: folder.versioning ? VERSIONING : NO_VERSIONING,
})

/** Characters that Syncthing escapes in an attribute of its XML. */
const ENTITIES: Readonly<Record<string, string>> = {
  '&amp;': '&',
  '&lt;': '<',
  '&gt;': '>',
  '&#34;': '"',
  '&#39;': "'",
}
const unescaped = (value: string): string =>
  value.replace(/&(amp|lt|gt|#34|#39);/g, (entity) => ENTITIES[entity] ?? entity)

const FOLDER = /<folder id="([^"]+)" label="([^"]*)" path="([^"]*)"[\s\S]*?<\/folder>/g

/** The folders in Syncthing's config.xml. */
export const foldersIn = (config: string): { id: string; label: string; path: string; paused: boolean }[] =>
  [...config.matchAll(FOLDER)].map(([text, id = '', label = '', path = '']) => ({
    ...{ id, label: unescaped(label), path: unescaped(path) },
    paused: text.includes('<paused>true</paused>'),
  }))

/** The same config.xml with these folders paused. */
export const withPaused = (config: string, ids: readonly string[]): string =>
  config.replace(FOLDER, (text, id: string) =>
    ids.includes(id)
      ? text.replace(/<paused>false<\/paused>/, '').replace('</folder>', '<paused>true</paused></folder>')
      : text,
  )

/** The wanted values that Syncthing does not have; null if it has them all. Of a folder's devices only the ids are compared. */
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
