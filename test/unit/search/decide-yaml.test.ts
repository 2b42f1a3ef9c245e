import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { settingsIn } from '../../../lib/search/decide-yaml.ts'

const good: readonly (readonly [what: string, text: string, settings: object])[] = [
  ['nothing', '', {}],
  ['comments alone', '# cluster.name: x\n\n   # y\n---\n', {}],
  [
    'names with dots',
    'path.data: /var/lib/x\nhttp.port: 9200\n',
    { 'path.data': '/var/lib/x', 'http.port': '9200' },
  ],
  [
    'one below the other',
    'path:\n  data: /d\n  logs: /l\ncluster:\n  name: x\n',
    { 'path.data': '/d', 'path.logs': '/l', 'cluster.name': 'x' },
  ],
  ['three deep, and back', 'a:\n  b:\n    c: 1\n  d: 2\ne: 3', { 'a.b.c': '1', 'a.d': '2', e: '3' }],
  ['dots below a name', 'a:\n  b.c: 1', { 'a.b.c': '1' }],
  ['a list in brackets', 'a: ["x", \'y\', z]', { a: ['x', 'y', 'z'] }],
  ['an empty list', 'a: []', { a: [] }],
  ['a list below', 'a:\n  - x\n  - "y"\nb: 1', { a: ['x', 'y'], b: '1' }],
  ['a list at the same depth', 'a:\n- x\n- y\nb: 1', { a: ['x', 'y'], b: '1' }],
  ['quotes', 'a: "x: y # z"\nb: \'c\'\n"d.e": f', { a: 'x: y # z', b: 'c', 'd.e': 'f' }],
  ['a comment after a value', 'a: b # c\nd: [e] # f\ng: "h" # i', { a: 'b', d: ['e'], g: 'h' }],
  ['a variable of the environment', `node.name: \${HOSTNAME}`, { 'node.name': `\${HOSTNAME}` }],
  ['a value with a colon', 'a: 10.0.0.1:9300', { a: '10.0.0.1:9300' }],
  ['a special place', 'network.host: _site_', { 'network.host': '_site_' }],
  ['a name without a value', 'a:\nb: c', { b: 'c' }],
  ['lines that end as on Windows', 'a: b\r\nc: d\r\n', { a: 'b', c: 'd' }],
]

const bad: readonly (readonly [what: string, text: string, line: number])[] = [
  ['a map in braces', 'x: 1\na: {b: c}', 2],
  ['a text of several lines', 'a: |\n  b', 1],
  ['a folded text', 'a: >\n  b', 1],
  ['an anchor', 'a: &x b', 1],
  ['an alias', 'a: *x', 1],
  ['a tab', 'a: b\n\tc: d', 2],
  ['a list of lists', 'a: [[b]]', 1],
  ['a list over two lines', 'a: [b,\n  c]', 1],
  ['an item of nothing', '- a', 1],
  ['no name', 'just text', 1],
  ['a name twice', 'a.b: 1\na:\n  b: 2', 3],
  ['a map as an item', 'a:\n  - b: c', 2],
]

describe('search: the settings in a file of YAML', () => {
  for (const [what, text, settings] of good)
    test(what, () => {
      const read = settingsIn(text)
      assert.ok('settings' in read, JSON.stringify(read))
      assert.deepEqual(Object.fromEntries(read.settings), settings)
    })
  for (const [what, text, line] of bad)
    test(`${what} is not guessed at`, () => assert.deepEqual(settingsIn(text), { line }))
})
