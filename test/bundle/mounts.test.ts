/** What is mounted inside folders, with real mounts in a namespace: a bind mount several levels deep, and one that is missing. */
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
