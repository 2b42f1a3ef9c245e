/** Where the host's own apt gets Debian from: nothing about mirrors is written into this project. */
import { existsSync } from 'node:fs'
import { run } from './host.ts'

export interface Mirror {
  readonly uri: string
  readonly keyring: string
  /** apt options that a download needs here: proxies, certificates, validity checks. */
  readonly options: readonly string[]
}

/** One package index that apt is configured with. A field that apt does not know is left as its "$(NAME)". */
interface Target {
  readonly release: string
  readonly origin: string
  readonly label: string
  readonly component: string
  readonly uri: string
}

/** Picks the Debian archive (not security, updates or a third party) out of apt's index targets. */
export function pickArchive(targets: readonly Target[]): string | undefined {
  const main = targets.filter((target) => target.component === 'main' && /^[a-z]+$/.test(target.release))
  const known = main.find((target) => target.origin === 'Debian' && target.label === 'Debian')
  // Before the first apt-get update the origin is not known, and the path has to tell.
  return (known ?? main.find((target) => /\/debian\/?$/.test(target.uri)))?.uri
}

async function targets(): Promise<Target[]> {
  const format = '$(RELEASE)|$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(REPO_URI)'
  const lines = await run(['apt-get', 'indextargets', '--format', format, 'Created-By: Packages'])
  return lines.split('\n').map((line) => {
    const [release = '', origin = '', label = '', component = '', uri = ''] = line.split('|')
    return { release, origin, label, component, uri }
  })
}

/** The settings of `apt-config dump` that decide whether and how the mirror can be reached. */
export function transportOptions(dump: string): string[] {
  const wanted =
    /^(Acquire::(https?|ftp)(::|\s)|Acquire::(Check-Valid-Until|Check-Date|Retries|ForceIPv[46]))/i
  return dump.split('\n').flatMap((line) => {
    const [, key = '', value = ''] = /^(\S+) "(.*)";$/.exec(line) ?? []
    return wanted.test(key) && value !== '' ? [`${key} "${value}"`] : []
  })
}

/** The Debian mirror of this host. UNDERSTUDY_LAB_MIRROR names one where apt has none (another distribution). */
export async function findMirror(): Promise<Mirror> {
  const uri = process.env['UNDERSTUDY_LAB_MIRROR'] ?? pickArchive(await targets())
  if (uri === undefined) {
    throw new Error(
      'apt has no Debian archive configured here; name one in UNDERSTUDY_LAB_MIRROR=http://.../debian',
    )
  }
  const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg'
  if (!existsSync(keyring)) throw new Error(`${keyring} is missing: apt-get install debian-archive-keyring`)
  return { uri, keyring, options: transportOptions(await run(['apt-config', 'dump'])) }
}
