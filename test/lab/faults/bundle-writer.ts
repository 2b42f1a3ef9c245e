/** The writer's program as one file: a machine has Node, but none of our packages. */
import { join } from 'node:path'
import { build } from 'esbuild'
import type { Lab } from '../lib/lab.ts'
import { writerProgram } from '../lib/writer.ts'
import { makeDirectory } from './temporary.ts'

/** Where it lies on a machine. */
export const PROGRAM_INSIDE = '/var/tmp/understudy-writer.mjs'

/** Bundles it and copies it to every machine. */
export async function installWriter(lab: Lab): Promise<void> {
  const directory = makeDirectory('writer')
  try {
    const outfile = join(directory.path, 'writer.mjs')
    await build({
      entryPoints: [writerProgram],
      outfile,
      bundle: true,
      platform: 'node',
      target: 'node18.19',
      format: 'esm',
      logLevel: 'warning',
      external: ['pg-native'],
      // What CommonJS packages need inside an ES module.
      banner: {
        js: "import { createRequire as __createRequire } from 'node:module'\nconst require = __createRequire(import.meta.url)",
      },
    })
    await Promise.all(lab.machines.map(({ name }) => lab.copyIn(name, outfile, PROGRAM_INSIDE)))
  } finally {
    directory.remove()
  }
}
