/** Mounts at, above and inside folders, with real mounts in a namespace. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { run } from './support/handlers.ts'
import { cannotRun, Member } from './support/member.ts'

const CONFIG = `<configuration version="35">
    <folder id="files-1" label="files" path="/tmp/files" type="sendreceive">
        <paused>false</paused>
    </folder>
    <folder id="other-1" label="other" path="/tmp/other" type="sendreceive">
        <paused>false</paused>
    </folder>
</configuration>
`

/** Prints, after each situation, which folders are paused, and what is remembered. */
const SCRIPT = `
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -n -t tmpfs tmpfs /var/lib
home=/var/lib/understudy/syncthing
mkdir -p $home /tmp/files/a/b /tmp/other /tmp/disk
gate() {
  printf '%s' "$CONFIG" > $home/config.xml
  "$NODE" /usr/lib/understudy/handlers/files-gate 2>/dev/null
  echo "$1: $(grep -o '<paused>[a-z]*' $home/config.xml | cut -c9- | xargs) $(cat $home/mounts.json 2>/dev/null || echo none)"
}
gate nothing
mount -n --bind /tmp/disk /tmp/files/a/b
gate mounted
umount -n /tmp/files/a/b
gate missing
touch /tmp/files/a/b/back
gate back
mount -n --bind /tmp/disk /tmp/files
gate itself
`

const ADD = `
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -n -t tmpfs tmpfs /var/lib
mkdir -p /var/lib/files/a /var/lib/disk
mount -n --bind /var/lib/disk /var/lib/files/a
exec "$NODE" /usr/lib/understudy/understudy.mjs folders add /var/lib/files
`

/**
 * Prints what is mounted below /srv once all is detached that Syncthing has no use for, and which folders are paused, one of which has
 * another marker than before; and again in a shared namespace.
 */
const DETACH = `
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -n -t tmpfs tmpfs /var/lib
mount -n -t tmpfs tmpfs /srv
home=/var/lib/understudy/syncthing
mkdir -p $home /run/understudy/files /srv/files /srv/backup /srv/other
printf '%s' "$CONFIG" | sed 's|/tmp/|/srv/|' > $home/config.xml
mount -n -t tmpfs tmpfs /srv/files
mkdir -p '/srv/files/a b' /srv/files/.stversions /srv/files/.stfolder /srv/other/.stfolder
echo '{"files-1":"1"}' > $home/markers.json
chown 1:2 $home/config.xml
for point in '/srv/files/a b' '/srv/files/a b' /srv/files/.stversions /srv/backup; do mount -n -t tmpfs tmpfs "$point"; done
mkdir /srv/backup/more
mount -n --bind /srv/other /srv/backup/more
below() { cut -d ' ' -f 5 "$1" | grep '^/srv' | xargs; }
view() { "$NODE" /usr/lib/understudy/handlers/files-view 2>&1 | grep -o '"error".*' || :; below /proc/self/mountinfo; }
view
below /run/understudy/files/view
echo "$(stat -c '%u:%g %a' $home/config.xml) $(grep -o '<paused>[a-z]*' $home/config.xml | cut -c9- | xargs)"
mount -n --make-shared /
mount -n -t tmpfs tmpfs /srv/backup
view
`

/** Runs a shell script on a member. */
async function onMember(script: string) {
  const member = new Member()
  try {
    const start = `const { status } = require('child_process').spawnSync('/bin/sh', ['-euc', process.env.SCRIPT], { stdio: 'inherit' }); process.exit(status)`
    const [file = '', ...args] = member.command(['-e', start])
    const env = { SCRIPT: script, CONFIG, NODE: process.execPath }
    return await run(file, args, { env, timeoutMs: 60_000 })
  } finally {
    member.remove()
  }
}

test('a directory in which something is mounted cannot become a folder', { skip: cannotRun }, async () => {
  const { exitCode, stderr } = await onMember(ADD)
  assert.equal(exitCode, 78, stderr)
  assert.equal(
    stderr,
    'understudy folders: /var/lib/files/a is mounted inside /var/lib/files, and what is mounted inside a folder cannot be replicated; unmount it, or mount it elsewhere',
  )
})

test('only the folder in which something is mounted, or missing, is paused', {
  skip: cannotRun,
}, async () => {
  const { stdout, stderr } = await onMember(SCRIPT)
  assert.deepEqual(
    stdout.split('\n'),
    [
      'nothing: false false none',
      'mounted: true false ["/tmp/files/a/b"]',
      'missing: true false ["/tmp/files/a/b"]',
      'back: false false []',
      'itself: false false []',
    ],
    stderr,
  )
})

test('Syncthing keeps the disks of its folders, and nothing in them or elsewhere; those of the machine stay', {
  skip: cannotRun,
}, async () => {
  const { stdout, stderr } = await onMember(DETACH)
  assert.deepEqual(
    stdout.split('\n'),
    [
      '/srv /srv/files /srv/files/.stversions',
      '/srv /srv/files /srv/files/.stversions',
      '1:2 600 true false',
      '"error":"this is not a private mount namespace; it is understudy-syncthing.service that calls this handler"}',
      '/srv /srv/files /srv/files/.stversions /srv/backup',
    ],
    stderr,
  )
})
