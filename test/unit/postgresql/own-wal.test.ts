import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseControlData } from '../../../lib/postgresql/observe-own-wal.ts'

/** As pg_controldata of PostgreSQL 15 prints it, of a primary that has crashed; other versions have the same lines. */
const said = `pg_control version number:            1300
Database cluster state:               in production
pg_control last modified:             Fri Nov 27 11:44:20 2026
Latest checkpoint location:           16/B374D848
Latest checkpoint's REDO location:    16/B3740028
Latest checkpoint's REDO WAL file:    0000000300000016000000B3
Latest checkpoint's TimeLineID:       3
Latest checkpoint's PrevTimeLineID:   3
Latest checkpoint's full_page_writes: on
Time of latest checkpoint:            Fri Nov 27 11:44:19 2026
Minimum recovery ending location:     0/0
Min recovery ending loc's timeline:   0
Backup start location:                0/0
`
const checkpoint = 0x16b374d848n
const redo = 0x16b3740028n

describe('what pg_controldata says', () => {
  test('of a primary', () => assert.deepEqual(parseControlData(said), { timeline: 3, checkpoint, redo }))

  test('of one that crashed before its first checkpoint after a promotion', () => {
    const promoted = said.replace("loc's timeline:   0", "loc's timeline:   4")
    assert.deepEqual(parseControlData(promoted), { timeline: 4, checkpoint, redo })
  })

  for (const [caption, text] of [
    ['nothing', ''],
    ['another language', said.replaceAll('Latest checkpoint', 'Letzter Checkpoint')],
    ['no position', said.replace('16/B374D848', 'unknown')],
    ['no timeline', said.replace(/^Min recovery.*$/m, '')],
  ] as const)
    test(`${caption} is no answer`, () => assert.throws(() => parseControlData(text), TypeError))
})
