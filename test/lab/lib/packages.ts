/** Packages for machines that reach no mirror, downloaded by the host's apt. */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import { withLock } from './host.ts'
import { findMirror, type Mirror } from './mirror.ts'
import { imagesDir } from './state.ts'

/**
 * Runs apt-get with a state directory of its own.
 * @param status what is installed already, as dpkg notes it.
 * @throws with what apt-get printed.
 */
async function apt(
  { mirror, suite, directory, status }: { mirror: Mirror; suite: string; directory: string; status: string },
  commands: readonly (readonly string[])[],
): Promise<void> {
  mkdirSync(join(directory, 'lists', 'partial'), { recursive: true })
  mkdirSync(join(directory, 'archives', 'partial'), { recursive: true })
  const config = join(directory, 'apt.conf')
  const settings = [
    `Dir::State::lists "${directory}/lists"`,
    `Dir::Cache "${directory}"`,
    `Dir::Etc::sourcelist "${directory}/sources.list"`,
    'Dir::Etc::sourceparts "-"',
    // The host's own preferences and packages have no say in it.
    'Dir::Etc::preferences "-"',
    'Dir::Etc::preferencesparts "-"',
    `Dir::State::status "${status}"`,
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
  for (const command of [['update'], ...commands]) {
    const result = await execa('apt-get', ['-c', config, ...command], {
      cwd: directory,
      all: true,
      reject: false,
      timeout: 300_000,
    })
    if (result.failed) throw new Error(`apt-get ${command.join(' ')} for ${suite}:\n${result.all}`)
  }
}

const debsIn = (directory: string): string[] =>
  existsSync(directory) ? readdirSync(directory).filter((name) => name.endsWith('.deb')) : []

/** Downloads packages of a suite. @returns the paths of the .deb files. */
export async function downloadPackages(
  mirror: Mirror,
  suite: string,
  names: readonly string[],
  directory: string,
): Promise<string[]> {
  await apt({ mirror, suite, directory, status: '/dev/null' }, [['download', ...names]])
  const files = debsIn(directory)
  if (files.length !== names.length)
    throw new Error(
      `apt-get download ${names.join(' ')} left ${files.join(' ') || 'nothing'} in ${directory}`,
    )
  return files.map((name) => join(directory, name))
}

/** The packages of a suite, downloaded once. @returns the paths of the .deb files by the names of their packages. */
export async function keptPackages(suite: string, names: readonly string[]): Promise<Map<string, string>> {
  const directory = join(imagesDir, 'packages', suite)
  const kept = (): Map<string, string> => {
    const files = debsIn(directory)
    return new Map(
      names.flatMap((name) => {
        const file = files.find((one) => one.startsWith(`${name}_`))
        return file === undefined ? [] : [[name, join(directory, file)] as const]
      }),
    )
  }
  mkdirSync(directory, { recursive: true })
  await withLock(`${directory}.lock`, 600_000, async () => {
    const missing = names.filter((name) => !kept().has(name))
    if (missing.length === 0) return
    const work = `${directory}.new`
    rmSync(work, { recursive: true, force: true })
    for (const file of await downloadPackages(await findMirror(), suite, missing, work))
      renameSync(file, join(directory, file.slice(work.length + 1)))
    rmSync(work, { recursive: true })
  })
  return kept()
}

/**
 * Packages of a suite with what they need that an image does not have, downloaded once.
 * @param image the root file system of the machines. @returns the paths of the .deb files.
 */
export async function packagesWithDependencies(
  suite: string,
  names: readonly string[],
  image: string,
): Promise<string[]> {
  const kept = join(imagesDir, 'packages', `${suite}+${names.join('+')}`)
  await withLock(`${kept}.lock`, 600_000, async () => {
    if (existsSync(kept)) return
    const work = `${kept}.new`
    rmSync(work, { recursive: true, force: true })
    const install = ['install', '--download-only', '--no-install-recommends', '--yes', ...names]
    const status = join(image, 'var/lib/dpkg/status')
    await apt({ mirror: await findMirror(), suite, directory: work, status }, [install])
    renameSync(work, kept)
  })
  return debsIn(join(kept, 'archives')).map((name) => join(kept, 'archives', name))
}
