import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { withFolder, withoutFolder } from '../../../lib/files/change-folders.ts'
import { readFolders } from '../../../lib/files/decide-folders.ts'
import type { FoldersDocument } from '../../../lib/files/manifest.ts'
import { folderAt } from '../support/documents.ts'

const resources = folderAt('resources', '/opt/manager/resources')
const odd = { of: 'another version' }
const document: FoldersDocument = { schema: 1, folders: { resources, odd } }
const directory = { owner: 'app', group: 'app', mode: '0750' }

type Command = Parameters<typeof withFolder>[1]
const add = (difference: Partial<Command> = {}) => {
  const command: Command = {
    ...{ verb: 'add', path: '/srv/uploads', label: null, ignore: [], versioning: false, mergeFiles: false },
    ...difference,
  }
  return withFolder(document, command, directory, 'abc')
}

describe('a folder is added', () => {
  test('with the label of its path, an id of its own, and its directory as it is here', () => {
    const { document: after, label, isNew } = add({ ignore: ['*.part'], versioning: true })
    assert.deepEqual([label, isNew], ['uploads', true])
    assert.deepEqual(readFolders(after).valid.get('uploads'), {
      ...{ id: 'uploads-abc', path: '/srv/uploads', ...directory },
      ...{ ignore: ['*.part'], versioning: true, mergeFiles: false },
    })
  })
  test('and the others stay as they are, also what is not ours', () => {
    const { folders } = add().document
    assert.deepEqual([folders['resources'], folders['odd']], [resources, odd])
  })
  test('a label may have characters that an id may not', () => {
    const { document: after, label } = add({ label: 'up_loads.1' })
    assert.equal(label, 'up_loads.1')
    assert.equal(readFolders(after).valid.get(label)?.id, 'up-loads-1-abc')
  })
  test('once more, with other settings: id, owner and mode stay', () => {
    const { document: after, label, isNew } = add({ path: resources.path, versioning: true })
    // What another machine has at the path is not merged by that.
    assert.deepEqual([label, isNew], ['resources', false])
    assert.deepEqual(after.folders['resources'], { ...resources, versioning: true })
  })

  const refused: readonly (readonly [what: string, difference: Partial<Command>, says: RegExp])[] = [
    [
      'a label that is taken',
      { label: 'resources' },
      /label resources is taken by another folder; add --label/,
    ],
    ['a label that is taken by what is not ours', { label: 'odd' }, /label odd is taken/],
    [
      'another label for the same path',
      { path: resources.path, label: 'other' },
      /is already the folder resources/,
    ],
    ['inside another', { path: '/opt/manager/resources/x' }, /is inside \/opt\/manager\/resources/],
    ['around another', { path: '/opt/manager' }, /contains \/opt\/manager\/resources/],
    [
      'a path whose last part is no label',
      { path: '/srv/...' },
      /a label has up to 40 .*; add --label LABEL/,
    ],
  ]
  for (const [what, difference, says] of refused)
    test(`not ${what}`, () => assert.throws(() => add(difference), { exitCode: 64, message: says }))
})

describe('a folder is removed', () => {
  for (const what of ['resources', '/opt/manager/resources', '/opt/manager/resources/']) {
    test(`by ${what}`, () => {
      assert.deepEqual(withoutFolder(document, what), {
        document: { schema: 1, folders: { odd } },
        label: 'resources',
      })
    })
  }
  test('also one that is not ours', () => {
    assert.deepEqual(withoutFolder(document, 'odd').document.folders, { resources })
  })
  for (const what of ['uploads', '/opt/manager', 'toString'])
    test(`not ${what}`, () =>
      assert.throws(() => withoutFolder(document, what), {
        exitCode: 64,
        message: /there is no folder .*; the folders are: odd, resources$/,
      }))
})
