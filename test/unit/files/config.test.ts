import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  difference,
  renderSyncthing,
  syncthingAddress,
  type Values,
  wantedDevice,
  wantedFolder,
  wantedOptions,
} from '../../../lib/files/config.ts'
import { golden } from '../../golden/golden.ts'
import { deviceOf, folderAt } from '../support/documents.ts'

golden('files')

interface Element {
  name: string
  attributes: string
  text: string
  children: Element[]
}

/** As much of XML as the file needs. @throws where a tag is not closed, or closed by another. */
function parseXml(text: string): Element {
  const root: Element = { name: '', attributes: '', text: '', children: [] }
  const open = [root]
  const tokens = [...text.matchAll(/<(\/?)(\w+)([^<>]*)>|([^<>]+)/g)]
  assert.equal(tokens.map(([token]) => token).join(''), text, 'something is neither a tag nor text')
  for (const [, closes, name = '', attributes = '', content] of tokens) {
    const inner = open.at(-1) ?? root
    if (content !== undefined) inner.text += content.trim()
    else if (closes === '/') assert.equal(open.pop()?.name, name)
    else {
      const element = { name, attributes: attributes.trim(), text: '', children: [] }
      inner.children.push(element)
      open.push(element)
    }
  }
  assert.deepEqual(open, [root], 'something is not closed')
  assert.equal(root.children.length, 1)
  return root.children[0] ?? root
}
const texts = ({ children }: Element, name: string): string[] =>
  children.filter((child) => child.name === name).map(({ text }) => text)

describe('syncthing: the file for the first start', () => {
  const root = parseXml(
    renderSyncthing('10.77.0.12', { apiKey: 'secret', user: 'somebody', passwordHash: 'hash' }),
  )
  const [gui, options] = root.children as [Element, Element]

  test('is a configuration with its version, an API and options, and nothing else', () => {
    assert.equal(root.name, 'configuration')
    assert.equal(root.attributes, 'version="35"')
    assert.deepEqual(
      root.children.map(({ name }) => name),
      ['gui', 'options'],
    )
  })

  test('it listens to the members at the address of this one alone', () =>
    assert.deepEqual(texts(options, 'listenAddress'), ['tcp://10.77.0.12:22000']))

  test('the API is for this machine only, and for who has the key', () => {
    assert.equal(gui.attributes, 'enabled="true" tls="false"')
    assert.deepEqual(texts(gui, 'address'), ['127.0.0.1:8384'])
    assert.deepEqual(texts(gui, 'apikey'), ['secret'])
    assert.deepEqual([texts(gui, 'user'), texts(gui, 'password')], [['somebody'], ['hash']])
  })

  const off: readonly (readonly [option: string, value: string])[] = [
    ['globalAnnounceEnabled', 'false'],
    ['localAnnounceEnabled', 'false'],
    ['relaysEnabled', 'false'],
    ['natEnabled', 'false'],
    ['urAccepted', '-1'],
    ['autoUpgradeIntervalH', '0'],
    ['crashReportingEnabled', 'false'],
    ['startBrowser', 'false'],
  ]
  for (const [option, value] of off)
    test(`nothing is sent outside the cluster: ${option}`, () =>
      assert.deepEqual(texts(options, option), [value]))

  // What it starts with is what it is kept at.
  test('every option that is looked after is in it', () => {
    for (const [name, value] of Object.entries(wantedOptions('10.77.0.12'))) {
      const found =
        name === 'listenAddresses' ? [texts(options, 'listenAddress')] : [texts(options, name).join()]
      assert.deepEqual(found, [Array.isArray(value) ? value : String(value)], name)
    }
  })
})

test('syncthing: a member is reached at its own address, without any that is looked up', () =>
  assert.equal(syncthingAddress('10.77.0.13'), 'tcp://10.77.0.13:22000'))

describe('syncthing: a device', () => {
  test('is a member: reached at its address alone, and it brings in neither machines nor folders', () =>
    assert.deepEqual(wantedDevice(deviceOf('n2'), 'n2', '10.77.0.12'), {
      deviceID: deviceOf('n2'),
      name: 'n2',
      addresses: ['tcp://10.77.0.12:22000'],
      introducer: false,
      autoAcceptFolders: false,
      paused: false,
    }))

  test('of this machine has its name only: it never connects to itself', () =>
    assert.deepEqual(wantedDevice(deviceOf('n1'), 'n1', null), { deviceID: deviceOf('n1'), name: 'n1' }))
})

describe('syncthing: a folder', () => {
  const wanted = wantedFolder('files', folderAt('files', '/srv/files'), [deviceOf('n2'), deviceOf('n1')])

  test('is what the document says, shared with these devices', () => {
    assert.equal(wanted['id'], 'files-1')
    assert.equal(wanted['label'], 'files')
    assert.equal(wanted['path'], '/srv/files')
    assert.deepEqual(wanted['devices'], [{ deviceID: deviceOf('n1') }, { deviceID: deviceOf('n2') }])
  })

  test('goes both ways, keeps every conflicting version, and gives a new file the owner of its directory', () => {
    assert.equal(wanted['type'], 'sendreceive')
    assert.equal(wanted['paused'], false)
    assert.equal(wanted['maxConflicts'], -1)
    assert.equal(wanted['copyOwnershipFromParent'], true)
    assert.equal(wanted['ignorePerms'], false)
  })

  test('is watched, and scanned now and then', () => {
    assert.equal(wanted['fsWatcherEnabled'], true)
    assert.equal(wanted['fsWatcherDelayS'], 1)
    assert.equal(wanted['rescanIntervalS'], 3600)
  })

  test('keeps no versions by default', () => {
    assert.equal((wanted['versioning'] as Values)['type'], '')
    const versioned = wantedFolder('files', folderAt('files', '/srv/files', { versioning: true }), [])
    const { type, params } = versioned['versioning'] as { type: string; params: Values }
    assert.equal(type, 'staggered')
    // Syncthing takes texts only.
    assert.deepEqual(params, { maxAge: '31536000' })
  })

  test('the given devices are not put in another order', () => {
    const ids = Object.freeze([deviceOf('n2'), deviceOf('n1')])
    wantedFolder('files', folderAt('files', '/srv/files'), ids)
    assert.deepEqual(ids, [deviceOf('n2'), deviceOf('n1')])
  })
})

describe('syncthing: what differs', () => {
  const n1 = { deviceID: deviceOf('n1') }
  const n2 = { deviceID: deviceOf('n2') }
  const staggered = { type: 'staggered', params: { maxAge: '31536000' }, cleanupIntervalS: 3600 }
  const cases: readonly (readonly [caption: string, wanted: Values, has: Values, differs: Values | null])[] =
    [
      ['nothing', { a: 1, b: [2] }, { a: 1, b: [2] }, null],
      ['nothing is wanted', {}, { a: 1 }, null],
      ['it has more, which stays', { a: 1 }, { a: 1, weakHashThresholdPct: 25 }, null],
      ['one value, and that alone', { a: 1, b: 2 }, { a: 1, b: 3 }, { b: 2 }],
      ['a value that is missing', { a: false }, {}, { a: false }],
      ['a value of another type', { a: 0 }, { a: '0' }, { a: 0 }],
      ['a list', { addresses: ['x'] }, { addresses: ['x', 'dynamic'] }, { addresses: ['x'] }],
      ['the order of the devices does not matter', { devices: [n1, n2] }, { devices: [n2, n1] }, null],
      [
        'nor do the other values of a device',
        { devices: [n1] },
        { devices: [{ ...n1, introducedBy: '', encryptionPassword: '' }] },
        null,
      ],
      ['a device is missing', { devices: [n1, n2] }, { devices: [n2] }, { devices: [n1, n2] }],
      ['a device too many', { devices: [n1] }, { devices: [n1, n2] }, { devices: [n1] }],
      ['another device', { devices: [n1] }, { devices: [n2] }, { devices: [n1] }],
      ['there are no devices', { devices: [n1] }, {}, { devices: [n1] }],
      [
        'the wanted versioning, with what Syncthing adds',
        { versioning: staggered },
        { versioning: { ...staggered, params: { maxAge: '31536000', versionsPath: '' }, fsPath: '' } },
        null,
      ],
      [
        'versioning is off and should be on',
        { versioning: staggered },
        { versioning: { type: '', params: {} } },
        { versioning: staggered },
      ],
      [
        'versioning is on and should be off',
        { versioning: { type: '', params: {} } },
        { versioning: staggered },
        { versioning: { type: '', params: {} } },
      ],
      ['versioning is not set', { versioning: staggered }, {}, { versioning: staggered }],
    ]
  for (const [caption, wanted, has, differs] of cases)
    test(caption, () => assert.deepEqual(difference(wanted, has), differs))

  test('what was changed does not differ any more, and what was not wanted is as it was', () => {
    const ids = fc.shuffledSubarray([n1, n2], { minLength: 0 })
    const values = fc.record(
      {
        paused: fc.boolean(),
        label: fc.constantFrom('a', 'b'),
        devices: ids,
        addresses: fc.array(fc.constantFrom('x', 'y'), { maxLength: 2 }),
        versioning: fc.constantFrom(staggered, { type: '', params: {} }),
      },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(values, values, (wanted: Values, has: Values) => {
        const differs = difference(wanted, has) ?? {}
        const after: Values = { ...has, ...differs }
        assert.equal(difference(wanted, after), null)
        for (const name of Object.keys(differs)) assert.deepEqual(differs[name], wanted[name])
        for (const name of Object.keys(has).filter((one) => !(one in wanted)))
          assert.equal(after[name], has[name])
      }),
    )
  })
})
