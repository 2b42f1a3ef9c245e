/** No mount and no unmount inside, at or above a replicated folder is taken for a delete, though Syncthing scans at that moment. */

import assert from 'node:assert/strict'
import { after, afterEach, before, describe, test } from 'node:test'
import { waitFor } from '../../lib/core/wait.ts'
import { files, RESOURCES, untilCheckSays, untilInSync } from './lib/files.ts'
import { upJoined } from './lib/joined.ts'
import { Lab } from './lib/lab.ts'
import { putRight } from './lib/restore.ts'
import { suites } from './lib/state.ts'

const both = ['n1', 'n2']
const ARCHIVE = `${RESOURCES}/archive`
/** A folder on a disk of its own. */
const UPLOADS = '/srv/disk/uploads'
const MAIN_PID = 'systemctl show --property=MainPID --value understudy-syncthing'

for (const suite of suites)
  describe(suite, () => {
    const name = `mounts-${suite}`
    let lab: Lab
    const sh = async (machine: string, script: string): Promise<string> =>
      (await lab.exec(machine, ['sh', '-euc', script], { timeoutMs: 120_000 })).stdout.trim()
    const listed = (machine: string, directory: string): Promise<string> =>
      sh(machine, `ls ${directory} | xargs`)

    /** Runs a script on n1, has Syncthing scan a folder at once, and tells whether it takes the file 1 there for deleted. */
    const isDeletedAfter = (script: string, label: string, file: string): Promise<string> =>
      sh(
        'n1',
        `key="X-API-Key: $(cat /etc/understudy/syncthing.key)"
        id=$(consul kv get understudy/syncthing/folders | jq -r .folders.${label}.id)
        ${script}
        curl -s -X POST -H "$key" "localhost:8384/rest/db/scan?folder=$id" >/dev/null
        curl -s -H "$key" "localhost:8384/rest/db/file?folder=$id&file=${file}" | jq .local.deleted`,
      )

    before(async () => {
      lab = await upJoined({ name, suite, machines: 2, log: console.log })
    })
    afterEach(() => putRight(lab, console.error))
    after(() => Lab.remove(name))

    test('a disk inside a folder is mounted over its files, and unmounted while something uses it', async () => {
      await sh('n1', `mkdir ${ARCHIVE}; for i in 1 2 3; do echo $i > ${ARCHIVE}/$i; done`)
      await untilInSync(lab, both)
      const mounted = `mount -t tmpfs tmpfs ${ARCHIVE}; echo own > ${ARCHIVE}/own`
      assert.equal(await isDeletedAfter(mounted, 'resources', 'archive/1'), 'false')
      await untilCheckSays(
        lab,
        'n1',
        /archive is mounted inside it and what is mounted is not replicated; unmount it/,
      )
      await sh('n1', `systemd-run --quiet --unit=user --working-directory=${ARCHIVE} sleep infinity`)
      await sh('n1', `umount --lazy ${ARCHIVE}; systemctl stop user`)
      await untilCheckSays(lab, 'n1', null)
      await untilInSync(lab, both)
      for (const machine of both) assert.equal(await listed(machine, ARCHIVE), '1 2 3')
    })

    test('the disk that a folder is on is mounted after Syncthing has started, unmounted, and mounted again', async () => {
      await sh(
        'n1',
        `mkdir -p /srv/real/uploads /srv/disk; for i in 1 2 3; do echo $i > /srv/real/uploads/$i; done
        mount --bind /srv/real /srv/disk; understudy folders add ${UPLOADS}`,
      )
      await waitFor('n2 has the files of the disk', 120_000, async () => {
        await lab.exec('n2', ['test', '-e', `${UPLOADS}/3`])
        return true
      })
      await untilInSync(lab, both)
      // An empty directory is below the mount point.
      await sh('n1', 'umount /srv/disk; mkdir /srv/disk/uploads; mount --bind /srv/real /srv/disk')
      assert.equal(await isDeletedAfter('umount /srv/disk', 'uploads', '1'), 'false')
      const refused = await files(lab, 'n1', ['wait', '--folder', 'uploads', '--min-copies', 'all'])
      assert.equal(refused.exitCode, 69, refused.stdout)
      assert.match(refused.stderr, /the folder uploads is stopped/)
      await untilCheckSays(lab, 'n1', /the folder uploads is stopped: folder marker missing/)
      await sh('n1', 'mount --bind /srv/real /srv/disk')
      await untilCheckSays(lab, 'n1', null)
      await untilInSync(lab, both)
      for (const machine of both) assert.equal(await listed(machine, UPLOADS), '1 2 3')
    })

    test('another disk, with a copy of a part of the folder, is mounted above it, and unmounted again', async () => {
      await sh('n1', 'mkdir -p /srv/copy/uploads/.stfolder; cp -a /srv/real/uploads/1 /srv/copy/uploads/')
      assert.equal(await isDeletedAfter('mount --bind /srv/copy /srv/disk', 'uploads', '2'), 'false')
      const has = (file: string) =>
        waitFor(`n1 has ${file}`, 120_000, async () => {
          await lab.exec('n1', ['test', '-e', file])
          return true
        })
      // What it lacks comes from the other machine.
      await has('/srv/copy/uploads/3')
      await untilCheckSays(lab, 'n1', null)
      await sh('n2', `echo 4 > ${UPLOADS}/4`)
      await has('/srv/copy/uploads/4')
      for (const machine of both) assert.equal(await listed(machine, UPLOADS), '1 2 3 4')
      await sh('n1', 'umount /srv/disk')
      await has('/srv/real/uploads/4')
      await untilCheckSays(lab, 'n1', null)
      await untilInSync(lab, both)
      for (const machine of both) assert.equal(await listed(machine, UPLOADS), '1 2 3 4')
    })

    test('Syncthing holds no disk that no folder is on, and runs with few rights', async () => {
      const held = await sh(
        'n1',
        `mkdir -p /srv/foreign; mount -t tmpfs tmpfs /srv/foreign; mount -t tmpfs tmpfs ${ARCHIVE}
        systemctl restart understudy-syncthing
        for i in $(seq 300); do [ "$(cat /proc/$(${MAIN_PID})/comm)" = syncthing ] && break; sleep 0.1; done
        cut -d ' ' -f 5 /proc/$(${MAIN_PID})/mountinfo; umount /srv/foreign ${ARCHIVE}`,
      )
      const points = held.split('\n')
      assert.ok(points.includes('/srv/disk'), held)
      assert.deepEqual(
        points.filter((point) =>
          ['/srv/foreign', ARCHIVE, '/var/lib/postgresql', '/dev/shm'].includes(point),
        ),
        ['/dev/shm'],
      )
      // CAP_CHOWN, CAP_DAC_OVERRIDE and CAP_FOWNER.
      assert.equal(
        await sh('n1', `grep -E '^(Cap|NoNewPrivs)' /proc/$(${MAIN_PID})/status | xargs`),
        `${['Inh', 'Prm', 'Eff', 'Bnd', 'Amb'].map((set) => `Cap${set}: 000000000000000b`).join(' ')} NoNewPrivs: 1`,
      )
      assert.equal(await sh('n1', `stat -c %U /proc/$(${MAIN_PID})`), 'understudy-syncthing')
      await untilCheckSays(lab, 'n1', null)
    })
  })
