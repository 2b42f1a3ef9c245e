import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import {
  addHost,
  knownNames,
  memoryFor,
  ownSetting,
  renderBroker,
  renderDefinitions,
  renderEnvironment,
  renderNames,
} from '../../../lib/rabbitmq/config.ts'
import { golden } from '../../golden/golden.ts'

golden('rabbitmq')

const names = new Map([
  ['n2', '10.77.0.12'],
  ['n1', '10.77.0.11'],
])

describe('rabbitmq: names', () => {
  test('what is written is read again', () => assert.deepEqual(knownNames(renderNames(names)), names))
  test('a file of nobody has none', () =>
    assert.deepEqual(knownNames('{lookup,[file,native]}.\n'), new Map()))
  test('a running broker is told', () =>
    assert.equal(addHost('n1', '10.77.0.11'), 'inet_db:add_host({10,77,0,11}, ["n1"]).'))
})

describe('rabbitmq: what a user of the machine has set', () => {
  test('our own files have nothing of anybody', () => {
    const texts = [
      renderBroker({ memoryBytes: 1, firstPassword: 'x' }),
      renderEnvironment('n1', '10.77.0.11', '/etc/rabbitmq/erl_inetrc'),
    ]
    assert.deepEqual(texts.map(ownSetting), [null, null])
  })
  test("Debian's file, in which every line is a comment", () =>
    assert.equal(ownSetting('# Defaults to rabbit.\n#NODENAME=rabbit\n\n%% comment\n'), null))
  test('one line of his own', () => assert.equal(ownSetting('# x\nNODENAME=hare\n'), 'NODENAME=hare'))
  test('no file', () => assert.equal(ownSetting(''), null))
})

describe('rabbitmq: settings', () => {
  test('a quarter of the memory, within bounds', () => {
    const mib = 1024 ** 2
    assert.deepEqual(
      [512 * mib, 4096 * mib, 65536 * mib].map((total) => memoryFor(total) / mib),
      [256, 1024, 4096],
    )
  })
  test('the password is in the definitions as a hash that RabbitMQ understands', () => {
    const salt = Buffer.from([1, 2, 3, 4])
    const text = renderDefinitions({ vhost: 'understudy', user: 'app', password: 'geheim', salt })
    assert.doesNotMatch(text, /geheim/)
    const { users, vhosts } = JSON.parse(text)
    const hash = Buffer.from(users[0].password_hash, 'base64')
    assert.deepEqual(hash.subarray(0, 4), salt)
    assert.deepEqual(hash.subarray(4), createHash('sha256').update(salt).update('geheim').digest())
    assert.equal(vhosts[0].metadata.default_queue_type, 'quorum')
  })
})
