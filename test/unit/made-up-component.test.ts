/** A component that is added to the list is picked up by everything that goes through the manifests. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { runInNewContext } from 'node:vm'
import { components } from '../../lib/components.ts'
import { renderConsulServices } from '../../lib/consul/config.ts'
import { checkIdsOf } from '../../lib/consul/definitions.ts'
import type { Context } from '../../lib/consul/handler.ts'
import { checkRun } from '../../lib/operations/check.ts'
import { checkLines } from '../../lib/operations/check-lines.ts'
import { renderReference } from '../../lib/operations/render-reference.ts'
import {
  packagedFiles,
  renderControl,
  renderPolkit,
  renderPostinst,
  renderTmpfiles,
} from '../../packaging/render.mjs'
import { lamp, madeUp } from './support/made-up.ts'

const all = [...components, madeUp]
/** A Consul that refuses everything: what the check does with it besides does not count here. */
const context = { consul: {}, settings: {} } as Context

describe('a made-up component', () => {
  test('Consul is given its service, check and watch', () => {
    const settings = { kvPrefix: 'x/', postgresqlPort: 5432, postgresqlVersion: 17 }
    const { services, watches } = JSON.parse(renderConsulServices(all, settings))
    assert.equal(services.at(-1).id, 'lamp')
    assert.deepEqual(watches.at(-1), { type: 'keyprefix', prefix: 'x/lamp/' })
    assert.ok(checkIdsOf(all).includes('lamp'))
  })

  test('the periodic check has its line and watches its daemon', async () => {
    const lines = await checkLines(all)
    assert.ok(lines.some(({ name }) => name === 'lamp'))
    const units = lines.find(({ name }) => name === 'units')
    const states = new Map([['lamp.service', 'failed']])
    assert.deepEqual(units?.decide({ states }).problems, [
      'these units do not run: lamp.service; see systemctl status',
    ])
  })

  test('the periodic check repairs and reports it', async () => {
    const { observe, decide, apply } = checkRun([{ ...madeUp, daemons: [] }])
    const plan = decide(await observe(context))
    assert.match(plan.why, /the lamp is red/)
    await apply(plan, context)
    assert.equal(lamp.repaired, 1)
  })

  test('the package depends on it, and has its units, users, directories and rights', () => {
    assert.match(
      renderControl(all, { version: '1', maintainer: 'A <a@example.org>', description: 'x' }),
      /^Depends: .*\blamp \(>= 2\.0\)/m,
    )
    assert.match(renderTmpfiles(all), /^d \/run\/understudy\/lamp 0755 consul consul$/m)
    assert.match(renderPostinst(all), /^ {2}addgroup --system --quiet lamp$/m)
    const to = packagedFiles(all).map((file) => file.to)
    assert.ok(to.includes('usr/lib/understudy/handlers/lamp-changed'))
    assert.ok(to.includes('usr/lib/systemd/system/understudy-lamp.service'))
    assert.ok(to.includes('usr/lib/systemd/system/lamp.service.d/understudy.conf'))
    const rules: ((action: object, subject: object) => string | undefined)[] = []
    const polkit = { addRule: (rule: (typeof rules)[number]) => rules.push(rule), Result: { YES: 'yes' } }
    runInNewContext(renderPolkit(all), { polkit })
    const ask = (unit: string) => ({
      id: 'org.freedesktop.systemd1.manage-units',
      lookup: (name: string) => (name === 'unit' ? unit : 'start'),
    })
    assert.equal(rules[0]?.(ask('understudy-lamp.service'), { user: 'consul' }), 'yes')
    assert.equal(rules[0]?.(ask('lamp.service'), { user: 'consul' }), undefined)
  })

  test('the reference has its handler, key, port and file', () => {
    const { handlers = '', keys = '', ports = '', files = '' } = renderReference(all)
    for (const table of [handlers, keys, ports, files]) assert.match(table, /lamp|Lamp/)
  })
})
