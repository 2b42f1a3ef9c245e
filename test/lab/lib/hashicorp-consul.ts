/**
 * Consul as HashiCorp packages it: unit, directories, user and maintainer scripts as in .release/linux of hashicorp/consul; the
 * program is the one that the image has.
 */
import { chmodSync, cpSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { run } from './host.ts'

const UNIT = `[Unit]
Description="HashiCorp Consul - A service mesh solution"
Documentation=https://www.consul.io/
Requires=network-online.target
After=network-online.target
ConditionDirectoryNotEmpty=/etc/consul.d

[Service]
Type=notify
EnvironmentFile=-/etc/consul.d/consul.env
User=consul
Group=consul
ExecStart=/usr/bin/consul agent -config-dir=/etc/consul.d/
ExecReload=/bin/kill --signal HUP $MAINPID
KillMode=process
KillSignal=SIGTERM
Restart=on-failure
LimitNOFILE=65536

[Install]
WantedBy=multi-user.target
`

/** Maintainer scripts, see deb-postinst(5) and the like. */
const SCRIPTS = {
  preinst: 'id -u consul >/dev/null 2>&1 || useradd --system --user-group --shell /bin/false consul\n',
  postinst: `mkdir -p /opt/consul
chown -R consul:consul /opt/consul
chown -R consul:consul /etc/consul.d
systemctl --system daemon-reload >/dev/null || true
`,
  prerm: `[ "$1" = remove ] || exit 0
systemctl --no-reload disable consul.service >/dev/null || true
systemctl stop consul.service >/dev/null || true
`,
  postrm: `[ "$1" = purge ] && userdel consul
if [ "$1" = upgrade ]; then
  systemctl --system daemon-reload >/dev/null || true
  systemctl restart consul >/dev/null || true
fi
exit 0
`,
} as const

/**
 * The package file, beside the image; made if it is not there.
 * @param revision of the package: a higher one is an upgrade.
 */
export async function hashicorpConsul(image: string, revision: number): Promise<string> {
  const deb = join(dirname(image), `consul_1.8.7-${revision}.deb`)
  if (existsSync(deb)) return deb
  const root = `${deb}.${process.pid}`
  const write = (path: string, text: string, mode = 0o644): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
    chmodSync(join(root, path), mode)
  }
  try {
    write('etc/consul.d/consul.hcl', '# See the documentation of Consul.\n\ndata_dir = "/opt/consul"\n')
    write('etc/consul.d/consul.env', '')
    write('usr/lib/systemd/system/consul.service', UNIT)
    for (const [name, script] of Object.entries(SCRIPTS))
      write(`DEBIAN/${name}`, `#!/bin/sh\n${script}`, 0o755)
    write('DEBIAN/conffiles', '/etc/consul.d/consul.env\n/etc/consul.d/consul.hcl\n')
    write(
      'DEBIAN/control',
      `Package: consul
Version: 1.8.7-${revision}
Architecture: all
Maintainer: the lab <root@localhost>
Description: Consul in the layout of HashiCorp's package
`,
    )
    mkdirSync(join(root, 'usr/bin'), { recursive: true })
    cpSync(join(image, 'usr/bin/consul'), join(root, 'usr/bin/consul'))
    await run(['chmod', '-R', 'go-w', root])
    await run(['dpkg-deb', '--root-owner-group', '-Znone', '--build', root, `${root}.deb`])
    renameSync(`${root}.deb`, deb)
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
  return deb
}

/** What puts that package in the place of Debian's, inside a machine. $1: the package file. */
export const REPLACE_CONSUL = `set -eu
export DEBIAN_FRONTEND=noninteractive
dpkg --purge consul 2>/dev/null
! id -u consul >/dev/null 2>&1 || userdel consul
dpkg --install "$1"
rm "$1"`
