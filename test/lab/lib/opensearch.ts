/**
 * OpenSearch as an operator has it, from its jars and with a unit, user and directories as in its package. The jars come with Maven from
 * the repository that Maven is configured with, and are kept beside the images of the lab.
 */
import { createHash } from 'node:crypto'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { packageFile } from './cluster.ts'
import { withLock } from './host.ts'
import { Lab } from './lab.ts'
import { imagesDir } from './state.ts'

/** What a machine needs to run it. */
const SEARCH_PACKAGES = ['openjdk-21-jre-headless'] as const

/** The last version that runs on Java 17, and Java 21 lets it be started as it is here. */
const VERSION = '2.19.6'
/** Of the same version as log4j-api there. */
const LOG4J = '2.25.4'
const ARTIFACTS = [
  ['org.opensearch', 'opensearch', VERSION],
  ['org.opensearch', 'opensearch-cli', VERSION],
  ['org.opensearch', 'opensearch-plugin-classloader', VERSION],
  ['org.opensearch.plugin', 'transport-netty4-client', VERSION],
  ['org.apache.logging.log4j', 'log4j-core', LOG4J],
] as const

const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion>
<groupId>lab</groupId><artifactId>search</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>
${ARTIFACTS.map(
  ([group, artifact, version]) =>
    `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`,
).join('\n')}
</dependencies>
</project>
`
/** The module without which it has no network. */
const MODULE = `description=Netty 4 based transport
version=${VERSION}
opensearch.version=${VERSION}
name=transport-netty4
classname=org.opensearch.transport.Netty4Plugin
java.version=11
has.native.controller=false
`
const POLICY = `grant {
  permission java.net.SocketPermission "*", "accept,connect,listen,resolve";
  permission java.lang.RuntimePermission "*";
  permission java.lang.reflect.ReflectPermission "suppressAccessChecks";
  permission java.io.FilePermission "/proc/-", "read";
};
`
const LOGGING = `status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%-5p][%c{1.}] %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
`
/** What the operator has set. Without mmap it needs no setting of the host's kernel. */
const SETTINGS = `# Settings of the operator.
path.data: /var/lib/opensearch
path:
  logs: /var/log/opensearch # a comment
node.store.allow_mmap: false
`
const UNIT = `[Unit]
Description=OpenSearch
After=network.target

[Service]
User=opensearch
Environment=HOSTNAME=%H
LimitNOFILE=65535
LimitNPROC=4096
ExecStart=/usr/bin/java -Xms256m -Xmx256m -XX:+UseG1GC -Djava.security.manager=allow \\
  -Djava.io.tmpdir=/var/lib/opensearch-tmp \\
  -Dopensearch.path.home=/usr/share/opensearch -Dopensearch.path.conf=/etc/opensearch \\
  -Dopensearch.distribution.type=tar -Dopensearch.bundled_jdk=false \\
  -cp /usr/share/opensearch/lib/* org.opensearch.bootstrap.OpenSearch
SuccessExitStatus=143
Restart=on-failure
RestartSec=2

[Install]
WantedBy=multi-user.target
`
const INSTALL = `id -u opensearch >/dev/null 2>&1 || useradd --system --user-group --home /usr/share/opensearch --shell /usr/sbin/nologin opensearch
tar -C / -xf "$1"
rm "$1"
mkdir -p /usr/share/opensearch/bin /usr/share/opensearch/plugins /usr/share/opensearch/extensions
install -d -o opensearch -g opensearch -m 750 /var/lib/opensearch /var/lib/opensearch-tmp /var/log/opensearch
chown -R opensearch:opensearch /etc/opensearch
chmod 2750 /etc/opensearch
chmod 660 /etc/opensearch/*
systemctl daemon-reload
`

/** Names the recipe: an archive made from another one is not used. */
const recipe = createHash('sha256')
  .update([POM, MODULE, POLICY, LOGGING, SETTINGS, UNIT, String(allowFewFiles), String(layOut)].join('\n'))
  .digest('hex')
  .slice(0, 12)

/** The files of it as they are on a machine, in a tar archive. */
async function archive(): Promise<string> {
  const file = join(imagesDir, `opensearch-${VERSION}-${recipe}.tar`)
  mkdirSync(imagesDir, { recursive: true })
  await withLock(`${file}.lock`, 900_000, async () => {
    if (existsSync(file)) return
    const setup = fileURLToPath(new URL('../../../scripts/setup.mjs', import.meta.url))
    await execa(process.execPath, [setup, 'search'], { timeout: 600_000 })
    const work = `${file}.new`
    rmSync(work, { recursive: true, force: true })
    const jars = join(work, 'jars')
    mkdirSync(jars, { recursive: true })
    writeFileSync(join(work, 'pom.xml'), POM)
    const copy = ['--quiet', '--batch-mode', 'dependency:copy-dependencies', `-DoutputDirectory=${jars}`]
    await execa('mvn', copy, { cwd: work, timeout: 600_000 })
    await allowFewFiles(jars)
    layOut(jars, join(work, 'root'))
    await execa('tar', ['-C', join(work, 'root'), '-cf', join(work, 'tar'), '.'])
    renameSync(join(work, 'tar'), file)
    rmSync(work, { recursive: true })
  })
  return file
}

/** A class that has no other number of these in it. */
const FILES_CHECK = 'org/opensearch/bootstrap/BootstrapChecks$FileDescriptorCheck.class'

/**
 * A server that others can reach refuses to start where it may open fewer than 65,535 files, and a host of the lab need not be allowed to
 * let its machines open so many. Ten thousand are more than enough here: this one number is changed.
 */
async function allowFewFiles(jars: string): Promise<void> {
  const jar = join(jars, `opensearch-${VERSION}.jar`)
  await execa('unzip', ['-q', '-o', jar, FILES_CHECK, '-d', jars])
  const file = join(jars, FILES_CHECK)
  const code = readFileSync(file)
  // An integer among the constants of a class, see section 4.4.4 of the specification of Java's machine.
  const at = code.indexOf(Buffer.from([3, 0, 0, 0xff, 0xff]))
  if (at < 0) throw new Error(`${FILES_CHECK} has another limit than 65535`)
  code.writeInt32BE(10_000, at + 1)
  writeFileSync(file, code)
  await execa('zip', ['-q', jar, FILES_CHECK], { cwd: jars })
  rmSync(join(jars, 'org'), { recursive: true })
}

function layOut(jars: string, root: string): void {
  const home = join(root, 'usr/share/opensearch')
  const netty = join(home, 'modules/transport-netty4')
  const [settings, units] = [join(root, 'etc/opensearch'), join(root, 'usr/lib/systemd/system')]
  for (const directory of [join(home, 'lib'), netty, settings, units])
    mkdirSync(directory, { recursive: true })
  for (const jar of readdirSync(jars)) {
    const isOfModule = jar.startsWith('netty-') || jar.startsWith('transport-netty4-')
    cpSync(join(jars, jar), join(isOfModule ? netty : join(home, 'lib'), jar))
  }
  writeFileSync(join(netty, 'plugin-descriptor.properties'), MODULE)
  writeFileSync(join(netty, 'plugin-security.policy'), POLICY)
  writeFileSync(join(settings, 'opensearch.yml'), SETTINGS)
  writeFileSync(join(settings, 'log4j2.properties'), LOGGING)
  writeFileSync(join(units, 'opensearch.service'), UNIT)
}

/** Its settings on a machine. */
export const SETTINGS_FILE = '/etc/opensearch/opensearch.yml'

/** A new lab of three machines that can run it and have the package, and are no cluster yet. */
export async function upWithSearch(name: string): Promise<Lab> {
  await Lab.remove(name)
  const lab = await Lab.up({ name, packages: SEARCH_PACKAGES, log: console.log })
  await lab.installPackage(packageFile())
  return lab
}

/** Installs it on a machine and does not start it. */
export async function installOpenSearch(lab: Lab, machine: string): Promise<void> {
  const inside = '/var/tmp/opensearch.tar'
  await lab.copyIn(machine, await archive(), inside)
  await lab.exec(machine, ['sh', '-euc', INSTALL, 'install', inside], { timeoutMs: 120_000 })
}

/** A request of a client on a machine to the server there. @returns the answer. @throws where it is none of success. */
export async function ask<T = Record<string, unknown>>(
  lab: Lab,
  machine: string,
  method: string,
  path: string,
  body?: object,
): Promise<T> {
  const data = body === undefined ? [] : ['-H', 'content-type: application/json', '-d', JSON.stringify(body)]
  const argv = ['curl', '-sS', '--fail-with-body', '-m', '30', '-X', method, ...data]
  const { exitCode, stdout, stderr } = await lab.exec(machine, [...argv, `http://localhost:9200${path}`], {
    reject: false,
    timeoutMs: 40_000,
  })
  if (exitCode !== 0) throw new Error(`${machine} ${method} ${path}: ${stderr} ${stdout}`)
  return JSON.parse(stdout) as T
}
