import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { settingsIn } from '../../../lib/consul/settings-in.ts'

const names = (text: string): string[] => [...settingsIn(text).keys()]

describe('what a configuration of Consul sets', () => {
  test("HashiCorp's own file", () => {
    const text =
      '# Full configuration options\n#server = true\ndata_dir = "/opt/consul"\n\n#ui_config{\n#  enabled = true\n#}\n'
    assert.deepEqual([...settingsIn(text)], [['data_dir', '/opt/consul']])
  })

  test('nothing', () => {
    for (const text of ['', '  \n', '# only a remark', '/* server = true\n */ // more', '{}'])
      assert.deepEqual(names(text), [], text)
  })

  test('JSON, also in a file of HCL', () => {
    const text =
      '{"Retry_Join": ["10.0.0.1"], "server": true, "data_dir": "/srv/consul", "acl": {"enabled": true}}'
    assert.deepEqual(
      [...settingsIn(text)],
      [
        ['retry_join', null],
        ['server', 'true'],
        ['data_dir', '/srv/consul'],
        ['acl', null],
      ],
    )
  })

  test('HCL: blocks, lists, labels, quoted names, several in a line, remarks', () => {
    const text = `server = true datacenter = "org" # retry_join = ["10.0.0.1"]
"start_join" = ["10.0.0.1", "}"]
acl { tokens { agent = "a # b" } }
telemetry = { x = [1, 2] }
service "web" { port = 80 }
// encrypt = "x"
bootstrap_expect=3
`
    assert.deepEqual(names(text), [
      ...['server', 'datacenter', 'start_join', 'acl', 'telemetry', 'service', 'bootstrap_expect'],
    ])
  })

  test('a text that goes over several lines', () => {
    assert.deepEqual(names('encrypt = <<EOF\nserver = true\nEOF\nlog_level = "warn"\n'), [
      'encrypt',
      'log_level',
    ])
  })

  test('anything else is an error', () => {
    for (const text of ['server = ', '}', 'acl = {', 'retry_join = [', '@@', '{"a"', 'a = "b'])
      assert.throws(() => settingsIn(text), Error, text)
  })
})
