import { settingsIn } from './settings-in.ts'

/** How Consul's agent is set up on this machine, apart from our own files. */
export interface SetupFacts {
  /** What its unit runs: command line, environment and environment files, as text. */
  command: string
  /** The files that it reads, in its order. */
  files: readonly { path: string; text: string }[]
  /** The unit's Type=. */
  type: string
}

export interface Setup {
  /** Where the agent keeps its data; null where nothing says so. */
  dataDirectory: string | null
  /** Why it cannot be an agent of ours, in one sentence. */
  why: string | null
}

/**
 * Settings that do not touch who belongs to Consul's cluster, how its servers work, or who reaches it. Everything else in a file
 * that is not ours means that the agent is meant for something else.
 */
const HARMLESS = new Set([
  ...['data_dir', 'pid_file', 'license_path'],
  ...['log_level', 'log_json', 'log_file', 'log_rotate_bytes', 'log_rotate_duration', 'log_rotate_max_files'],
  ...['enable_syslog', 'syslog_facility', 'telemetry', 'enable_debug'],
  ...['ui', 'ui_config', 'ui_content_path', 'ui_dir'],
  ...['disable_update_check', 'disable_anonymous_signature', 'disable_remote_exec', 'disable_host_node_id'],
  ...['recursors', 'dns_config', 'node_meta', 'limits'],
  ...['service', 'services', 'check', 'checks', 'watches', 'enable_local_script_checks'],
])
const HARMLESS_FLAGS = new Set([
  ...['config-dir', 'config-file', 'config-format', 'data-dir', 'pid-file'],
  ...['log-level', 'log-json', 'log-file', 'log-rotate-bytes', 'log-rotate-duration', 'log-rotate-max-files'],
  ...['syslog', 'ui', 'ui-content-path', 'ui-dir', 'recursor', 'disable-host-node-id', 'node-meta'],
])

const refusal = (what: string): string =>
  `the Consul of this machine is set up for something else (${what}), and a member needs one of its own; remove that setting, or use another machine`

/** Where the agent of this machine keeps its data, and whether it is free for us. */
export function decideSetup({ command, files, type }: SetupFacts): Setup {
  const flags = flagsIn(command)
  const valuesOf = (flag: string): string[] =>
    flags.flatMap(({ name, value }) => (name === flag && value !== null ? [value] : []))
  let dataDirectory: string | null = null
  let why: string | null = null
  for (const { path, text } of files) {
    const read = readSettings(text)
    if ('error' in read)
      why ??= `${path} cannot be read as a configuration of Consul (${read.error}); correct it first`
    else {
      dataDirectory = read.settings.get('data_dir') ?? dataDirectory
      const other = [...read.settings.keys()].find((name) => !HARMLESS.has(name))
      if (other !== undefined) why ??= refusal(`${path} sets ${other}`)
    }
  }
  dataDirectory = valuesOf('data-dir').at(-1) ?? dataDirectory
  const flag = flags.find(({ name }) => !HARMLESS_FLAGS.has(name))
  if (flag) why ??= refusal(`consul.service runs it with -${flag.name}`)
  if (!configDirectories(command).includes('/etc/consul.d'))
    why ??=
      'consul.service does not read /etc/consul.d, where join puts its configuration; let it run Consul with -config-dir=/etc/consul.d'
  if (dataDirectory === null)
    why ??= 'nothing says where Consul keeps its data; set data_dir in /etc/consul.d/consul.hcl'
  if (!['exec', 'simple'].includes(type))
    why ??= `consul.service has Type=${type}, with which Consul never reports that it has started while no other member answers; remove that setting (understudy sets Type=exec)`
  return { dataDirectory, why }
}

/** The directories that the agent reads its configuration from. */
export const configDirectories = (command: string): string[] =>
  flagsIn(command).flatMap(({ name, value }) =>
    name === 'config-dir' && value !== null ? [value.replace(/(?<=.)\/+$/, '')] : [],
  )

/** The single files that the agent is told to read. */
export const configFiles = (command: string): string[] =>
  flagsIn(command).flatMap(({ name, value }) => (name === 'config-file' && value !== null ? [value] : []))

function readSettings(text: string): { settings: Map<string, string | null> } | { error: string } {
  try {
    return { settings: settingsIn(text) }
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) }
  }
}

/** The flags in a command line: -name value, -name=value, with one dash or two. A variable may hold some of them. */
function flagsIn(command: string): { name: string; value: string | null }[] {
  const words = command
    .replace(/^#.*$/gm, '')
    .replace(/["']/g, ' ')
    .replace(/(^|\s)\w+=(?=-)/g, '$1')
    .split(/\s+/)
  return words.flatMap((word, index) => {
    const [, name, , own] = /^--?([a-z][a-z0-9-]*)(=(.*))?$/.exec(word) ?? []
    if (name === undefined) return []
    const next = words[index + 1]
    return [{ name, value: own ?? (next === undefined || next.startsWith('-') ? null : next) }]
  })
}
