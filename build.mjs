#!/usr/bin/env node
// Bundles every handler into one executable file of its own, the operator's command into one for each subcommand, and the library
// for scripts that run in a checkout.
import { chmod, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const { version } = JSON.parse(await readFile(new URL('package.json', import.meta.url), 'utf8'))

// As Debian does it: the time of the source, where it is given, so that a build can be repeated byte for byte.
const builtMs = process.env['SOURCE_DATE_EPOCH']
  ? Number(process.env['SOURCE_DATE_EPOCH']) * 1000
  : Date.now()

// pg's optional native driver is never used.
const external = ['pg-native']

/** @type {import('esbuild').BuildOptions} */
const common = {
  absWorkingDir: fileURLToPath(new URL('.', import.meta.url)),
  bundle: true,
  platform: 'node',
  target: 'node18.19',
  minifySyntax: true,
  logLevel: 'warning',
  define: { UNDERSTUDY_VERSION: JSON.stringify(version), UNDERSTUDY_BUILT_MS: String(builtMs) },
}

/** The entry points in a folder, by name. @param {string} folder */
const entries = async (folder) =>
  Object.fromEntries(
    (await readdir(new URL(folder, import.meta.url)))
      .sort()
      .map((file) => [file.replace(/\.(ts|mjs)$/, ''), `${folder}/${file}`]),
  )

/** Parts that the manifests load when they are called, for a program that never calls them. @param {string[]} names */
const parts = (names) => names.map((name) => `*/${name}.ts`)

/**
 * The operator's command: a file that says what there is, and one for each subcommand, which is loaded when it is called.
 * @param {string[]} names @param {string[]} uncalled
 */
const command = (names, uncalled) =>
  build({
    ...common,
    entryPoints: names.map((name) => `scripts/${name}.mjs`),
    outdir: 'dist/understudy',
    external: [...external, ...subcommands.map((name) => `./${name}.mjs`), ...parts(uncalled)],
    outExtension: { '.js': '.mjs' },
    format: 'esm',
    conditions: ['source'],
    // What CommonJS packages need inside an ES module.
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'\nconst require = __createRequire(import.meta.url)",
    },
  })
const subcommands = [
  'join',
  'rejoin',
  'status',
  'databases',
  'folders',
  'files',
  'logs',
  'services',
  'lock',
  'once',
  'rabbitmq',
  'search',
]

await rm(new URL('dist', import.meta.url), { recursive: true, force: true })
await mkdir(new URL('dist', import.meta.url))
// Handlers have no extension: without this they would be taken for ES modules, as everything else here is.
await writeFile(new URL('dist/package.json', import.meta.url), '{ "type": "commonjs" }\n')

/**
 * CommonJS starts 9 ms sooner than ESM, and a fixed interpreter 9 ms sooner than env; it also works with an empty PATH.
 * @param {Record<string, string>} entryPoints @param {string[]} uncalled
 */
const handler = (entryPoints, uncalled) =>
  build({
    ...common,
    entryPoints,
    outdir: 'dist/handlers',
    external: [...external, ...parts(uncalled)],
    format: 'cjs',
    banner: { js: '#!/usr/bin/node' },
    outExtension: { '.js': '.cjs' },
  })

const handlers = await entries('handlers')
const { upgrade = '', ...others } = handlers
await Promise.all([
  handler(others, ['join', 'status']),
  handler({ upgrade }, ['check', 'status']),
  command(['understudy', 'databases', 'folders', 'files', 'logs', 'rabbitmq', 'search'], []),
  command(['lock', 'once'], ['check']),
  command(['services'], ['check', 'join', 'status']),
  command(['join'], ['check']),
  command(['rejoin'], ['check', 'join', 'status']),
  command(['status'], ['check', 'join']),
  build({
    ...common,
    entryPoints: ['lib/**/*.ts'],
    outdir: 'dist/lib',
    outExtension: { '.js': '.mjs' },
    format: 'esm',
    packages: 'external',
    splitting: true,
    chunkNames: 'chunks/[hash]',
  }),
])

for (const name of Object.keys(handlers)) {
  const built = new URL(`dist/handlers/${name}`, import.meta.url)
  await rename(new URL(`dist/handlers/${name}.cjs`, import.meta.url), built)
  await chmod(built, 0o755)
}
await chmod(new URL('dist/understudy/understudy.mjs', import.meta.url), 0o755)
