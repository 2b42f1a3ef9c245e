import { readdirSync, statSync } from 'node:fs'
import { readText } from '../core/atomic-files.ts'
import { unitProperties } from '../core/systemd.ts'
import { configDirectories, configFiles, decideSetup, type Setup } from './decide-setup.ts'
import { consulPaths, consulUnits } from './manifest.ts'

/** How Consul's agent is set up on this machine, by what its unit and its configuration say. */
export async function readSetup(): Promise<Setup> {
  const properties = await unitProperties(consulUnits.agent, [
    'Type',
    'ExecStart',
    'Environment',
    'EnvironmentFiles',
  ])
  const of = (name: string): string[] =>
    properties.flatMap(([property, value]) => (property === name ? [value] : []))
  const environmentFiles = of('EnvironmentFiles').map((value) => value.replace(/ \(ignore_errors=.*\)$/, ''))
  const command = [
    ...of('ExecStart').flatMap((value) => /argv\[\]=(.*?) ;/.exec(value)?.[1] ?? []),
    ...of('Environment'),
    ...environmentFiles.flatMap((file) => readText(file) ?? []),
  ].join('\n')
  const files = [...configFiles(command), ...configDirectories(command).flatMap(filesBelow)]
    .filter((path) => !isOurs(path))
    .map((path) => ({ path, text: readText(path) ?? '' }))
  return decideSetup({ command, files, type: of('Type')[0] ?? '' })
}

const OURS: readonly string[] = [
  consulPaths.config,
  consulPaths.bootstrap,
  consulPaths.services,
  consulPaths.members,
]
const isOurs = (path: string): boolean => OURS.includes(path)

/** What Consul reads of a directory: not what is below its subdirectories. */
function filesBelow(directory: string): string[] {
  const isThere = statSync(directory, { throwIfNoEntry: false })?.isDirectory() === true
  if (!isThere) return []
  return readdirSync(directory)
    .filter((name) => /\.(json|hcl)$/.test(name))
    .sort()
    .map((name) => `${directory}/${name}`)
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile() === true)
}
