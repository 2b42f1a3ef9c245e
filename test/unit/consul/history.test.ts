import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { recordNews, trimHistory } from '../../../lib/consul/history.ts'
import { consulThat, keyValueStore } from '../support/consul.ts'
import { NOW } from '../support/documents.ts'
import { closeServers } from '../support/server.ts'
import { settings } from '../support/settings.ts'

afterEach(closeServers)

const PREFIX = 'understudy/history/'
const event = (message: string) =>
  JSON.stringify({ schema: 1, at: NOW, node: settings.node, event: 'failover_refused', message })

/** The names of `count` events, the oldest first. */
const names = (count: number): string[] =>
  Array.from(
    { length: count },
    (_, index) => `${new Date(Date.UTC(2026, 0, 1, 0, index)).toISOString()}-n1-x`,
  )

/** Works on the history of a Consul with these texts. @returns the keys that it removed, and those that it wrote. */
async function changes(
  texts: Readonly<Record<string, string>>,
  work: (context: Parameters<typeof trimHistory>[0]) => Promise<void>,
): Promise<{ removed: string[]; written: string[] }> {
  const { consul, seen } = await consulThat(keyValueStore(texts))
  await work({ settings, consul })
  const keys = (method: string): string[] =>
    seen
      .filter((request) => request.method === method)
      .map(({ url }) => decodeURIComponent(url).slice(`/v1/kv/${PREFIX}`.length))
  return { removed: keys('DELETE'), written: keys('PUT') }
}

const historyOf = (entries: readonly (readonly [name: string, text: string])[]): Record<string, string> =>
  Object.fromEntries(entries.map(([name, text]) => [PREFIX + name, text]))

describe('history: the newest 200 events stay', () => {
  test('none is removed while there are no more', async () => {
    const { removed } = await changes(historyOf(names(200).map((name) => [name, event(name)])), trimHistory)
    assert.deepEqual(removed, [])
  })

  test('the oldest are removed, whatever they hold and in whatever order they come', async () => {
    const all = names(203)
    const broken = ['{', '', '{"schema":9}']
    const entries = all.map((name, index) => [name, broken[index] ?? event(name)] as const)
    const { removed } = await changes(historyOf([...entries].reverse()), trimHistory)
    assert.deepEqual(removed, all.slice(0, 3))
  })

  test('a key that is no event neither stops it nor counts', async () => {
    const odd = ['', 'zzz', 'a b/c?', '2026'].map((name) => [name, '{'] as const)
    const all = names(201)
    const { removed } = await changes(
      historyOf([...odd, ...all.map((name) => [name, event(name)] as const)]),
      trimHistory,
    )
    assert.deepEqual(removed, all.slice(0, 1))
  })
})

describe('history: an event that repeats the last of its kind is not recorded again', () => {
  const [first = '', second = ''] = names(2)
  const again = (context: Parameters<typeof recordNews>[0]) =>
    recordNews(context, 'failover_refused', 'n2 is ahead')

  const cases: readonly (readonly [caption: string, texts: Record<string, string>, written: number])[] = [
    ['there is none', {}, 1],
    [
      'the last says the same',
      historyOf([
        [first, event('other')],
        [second, event('n2 is ahead')],
      ]),
      0,
    ],
    [
      'an earlier one says the same',
      historyOf([
        [first, event('n2 is ahead')],
        [second, event('other')],
      ]),
      1,
    ],
    [
      'another one is malformed',
      historyOf([
        [first, event('n2 is ahead')],
        ['zzz', '{'],
      ]),
      0,
    ],
    [
      'another one is newer than this version',
      historyOf([
        [first, event('x')],
        [second, '{"schema":9}'],
      ]),
      1,
    ],
  ]
  for (const [caption, texts, expected] of cases) {
    test(caption, async () => assert.equal((await changes(texts, again)).written.length, expected))
  }
})
