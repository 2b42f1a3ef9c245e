/** Consul for the lab's machines: Debian's last package of it, from a suite that nothing else may be drawn from. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import type { Mirror } from './mirror.ts'

/** The last Debian release that has Consul (1.8.7); its package installs on the later ones too. */
const suite = 'bullseye'

/** Downloads the package with an apt state directory of its own; gives the path of the .deb. */
export async function downloadConsul(mirror: Mirror, directory: string): Promise<string> {
  mkdirSync(join(directory, 'lists', 'partial'), { recursive: true })
  mkdirSync(join(directory, 'archives', 'partial'), { recursive: true })
  const config = join(directory, 'apt.conf')
  const settings = [
    `Dir::State::lists "${directory}/lists"`,
    `Dir::Cache "${directory}"`,
    `Dir::Etc::sourcelist "${directory}/sources.list"`,
    'Dir::Etc::sourceparts "-"',
    'APT::Sandbox::User "root"',
    // Hooks of the host's apt (desktop caches and the like) are not ours to run.
    '#clear APT::Update::Post-Invoke',
    '#clear APT::Update::Post-Invoke-Success',
    'Acquire::Languages "none"',
    ...mirror.options,
  ]
  writeFileSync(config, settings.map((setting) => `${setting};\n`).join(''))
  writeFileSync(
    join(directory, 'sources.list'),
    `deb [signed-by=${mirror.keyring}] ${mirror.uri} ${suite} main\n`,
  )
  for (const command of [['update'], ['download', 'consul']]) {
    const result = await execa('apt-get', ['-c', config, ...command], {
      cwd: directory,
      all: true,
      reject: false,
      timeout: 300_000,
    })
    if (result.failed) {
      throw new Error(`cannot get consul from ${suite}: apt-get ${command.join(' ')}:\n${result.all}`)
    }
  }
  const deb = readdirSync(directory).find((name) => name.endsWith('.deb'))
  if (deb === undefined) throw new Error(`apt-get download consul left no .deb in ${directory}`)
  return join(directory, deb)
}
