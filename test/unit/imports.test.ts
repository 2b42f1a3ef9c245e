/** Who may import what is a rule of the linter (.dependency-cruiser.mjs): each rule is broken once here, and has to be seen. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const repository = fileURLToPath(new URL('../..', import.meta.url))
const directory = mkdtempSync(join(tmpdir(), 'understudy-imports-'))
after(() => rmSync(directory, { recursive: true }))
for (const folder of ['handlers', 'lib'])
  cpSync(join(repository, folder), join(directory, folder), { recursive: true })
for (const file of ['.dependency-cruiser.mjs', 'package.json'])
  cpSync(join(repository, file), join(directory, file))
for (const folder of ['node_modules', 'consul-config'])
  symlinkSync(join(repository, folder), join(directory, folder))

const USERS = 'components-do-not-know-who-uses-them'
const cases = [
  ['a decision that reads a file', 'lib/pooler', 'decide-', 'node:fs', 'pure-files-do-nothing'],
  ['a decision that connects', 'lib/pooler', 'decide-', 'pg', 'pure-files-use-no-client'],
  ['a configuration with a client', 'lib/files', 'config-', './client.ts', 'pure-files-use-no-client'],
  ['a decision that observes', 'lib/pooler', 'decide-', './observe.ts', 'pure-files-import-pure-files'],
  ['a configuration that applies', 'lib/pooler', 'config-', './apply.ts', 'pure-files-import-pure-files'],
  ['the core with a component', 'lib/core', 'x-', '../pooler/decide.ts', 'core-imports-no-component'],
  ['Consul with a component', 'lib/consul', 'x-', '../files/decide.ts', 'consul-imports-core-only'],
  ['a component with an operation', 'lib/files', 'x-', '../operations/check.ts', USERS],
  [
    'the status with an operation',
    'lib/status',
    'x-',
    '../operations/check.ts',
    'status-does-not-know-operations',
  ],
  [
    'the library with a handler',
    'lib/pooler',
    'x-',
    '../../handlers/pooler.ts',
    'lib-does-not-know-handlers',
  ],
  ['a handler with a handler', 'handlers', 'x-', './pooler.ts', 'handlers-do-not-import-handlers'],
  [
    'PostgreSQL with who uses it',
    'lib/postgresql',
    'x-',
    '../pooler/console.ts',
    'no-circle-between-components',
  ],
  ['a file that is not there', 'lib/core', 'x-', './nowhere.ts', 'everything-is-found'],
  ['a new component with an operation', 'lib/new', 'x-', '../operations/check.ts', USERS],
  ['two files with each other', 'lib/core', 'x-', './x-back.ts', 'no-circle'],
] as const

mkdirSync(join(directory, 'lib/new'))
writeFileSync(join(directory, 'lib/core/x-back.ts'), `import './x-${cases.length - 1}.ts'\n`)
for (const [index, [, folder, kind, imported]] of cases.entries())
  writeFileSync(join(directory, folder, `${kind}${index}.ts`), `import '${imported}'\n`)

/** The rules that the linter finds broken, with the file or folder that breaks them. */
function brokenRules(): { rule: string; from: string }[] {
  const argv = ['depcruise', '--output-type', 'json', 'handlers', 'lib']
  const cruise = spawnSync('npx', argv, { cwd: directory, encoding: 'utf8', maxBuffer: 256 * 1024 * 1024 })
  const { summary } = JSON.parse(cruise.stdout) as {
    summary: { violations: { rule: { name: string }; from: string }[] }
  }
  return summary.violations.map(({ rule, from }) => ({ rule: rule.name, from }))
}

describe('imports', () => {
  const broken = brokenRules()
  for (const [index, [what, folder, kind, , rule]] of cases.entries()) {
    test(`${what}: ${rule}`, () => {
      const file = `${folder}/${kind}${index}.ts`
      const from = rule.startsWith('no-circle-between') ? folder : file
      assert.ok(broken.some((violation) => violation.rule === rule && violation.from === from))
    })
  }

  test('nothing else is found', () => {
    const ours = broken.filter(({ rule, from }) => !rule.startsWith('no-circle') && !/\d\.ts$/.test(from))
    assert.deepEqual(ours, [])
  })
})
