// What the Debian package is made of, from the manifests of the components.

/** @typedef {Pick<import('#lib/core/component').Component<never>, 'package'>} Packaged */

/** @template T @param {readonly Packaged[]} components @param {(packaging: Packaged['package']) => readonly T[] | undefined} part */
const all = (components, part) => components.flatMap((component) => [...(part(component.package) ?? [])])

/**
 * DEBIAN/control, see deb-control(5).
 * @param {readonly Packaged[]} components
 * @param {{ version: string, description: string, maintainer: string }} about
 */
export function renderControl(components, { version, description, maintainer }) {
  /** @param {(packaging: Packaged['package']) => readonly import('#lib/core/component').PackageNeeded[] | undefined} part */
  const named = (part) => [
    ...new Set(
      all(components, part)
        .map(({ package: name, minimum }) => (minimum === undefined ? name : `${name} (>= ${minimum})`))
        .sort(),
    ),
  ]
  return `Package: understudy
Version: ${version}
Architecture: all
Maintainer: ${maintainer}
Depends: ${named(({ depends }) => depends).join(', ')}
Recommends: ${named(({ recommends }) => recommends).join(', ')}
Suggests: ${named(({ suggests }) => suggests).join(', ')}
Section: admin
Priority: optional
Description: high availability for three to five plain Debian machines
${wrap(`${description}.`, ' ', ' ')}
`
}

/** Lines of at most 79 characters. @param {string} text @param {string} first @param {string} others what they begin with */
function wrap(text, first, others) {
  const lines = [first]
  for (const word of text.split(/\s+/)) {
    const line = lines.at(-1) ?? ''
    if (line.trim() !== '' && line.trim() !== '*' && line.length + word.length > 78) lines.push(others + word)
    else lines[lines.length - 1] = /\S$/.test(line) ? `${line} ${word}` : line + word
  }
  return lines.join('\n')
}

/** The copyright file, see https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/. @param {{ builtMs: number }} about */
export const renderCopyright = ({
  builtMs,
}) => `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: understudy

Files: *
Copyright: ${new Date(builtMs).getUTCFullYear()} the authors of understudy
License: Apache-2.0
 On Debian systems, the full text of the Apache License, Version 2.0, is in
 /usr/share/common-licenses/Apache-2.0.
`

/** A section of CHANGELOG.md: a version, with a date once it is released. */
const SECTION = /^## (\S+)(?: \((\d{4}-\d{2}-\d{2})\))?/
/** What deb-changelog(5) begins entries with. */
const DAY = /^(\w+), (\d+) (\w+) (\d+) (\S+) GMT$/

/**
 * CHANGELOG.md as Debian's tools read it, see deb-changelog(5). What is not released is the version that is built.
 * @param {string} text
 * @param {{ version: string, maintainer: string, builtMs: number }} about
 */
export function renderChangelog(text, { version, maintainer, builtMs }) {
  const sections = text.split(/^(?=## )/m).filter((section) => section.startsWith('## '))
  return sections
    .map((section) => {
      const [, named = '', date] = SECTION.exec(section) ?? []
      const at = new Date(date === undefined ? builtMs : `${date}T00:00:00Z`).toUTCString()
      const paragraphs = section
        .replace(/^## .*\n/, '')
        .split(/\n(?=- )|\n{2,}/)
        .map((paragraph) => paragraph.replace(/^- /, '').trim())
        .filter((paragraph) => paragraph !== '')
      const changes = paragraphs.map((paragraph) => wrap(paragraph, '  * ', '    ')).join('\n')
      const isVersion = /^\d/.test(named)
      return `understudy (${isVersion ? named : version}) unstable; urgency=medium\n\n${changes}\n\n -- ${maintainer}  ${at.replace(DAY, '$1, $2 $3 $4 $5 +0000')}\n`
    })
    .join('\n')
}

/** What systemd-tmpfiles makes at boot and at installation. @param {readonly Packaged[]} components */
export const renderTmpfiles = (
  components,
) => `# What must not outlive a boot: nobody knows yet who the primary is.
${all(components, ({ tmpfiles }) => tmpfiles).join('\n')}
`

/**
 * Which user may do what with which unit, and nothing else: a rule of polkit, see polkit(8).
 * @param {readonly Packaged[]} components
 */
export function renderPolkit(components) {
  const rules = all(components, ({ polkit }) => polkit).flatMap(({ user, verb, units }) =>
    units.map(
      (unit) =>
        `    { user: ${JSON.stringify(user)}, verb: ${JSON.stringify(verb)}, unit: ${patternOf(unit)} },`,
    ),
  )
  return `// Which user may do what with which unit, and nothing else. Works under NoNewPrivileges, which sudo does not.
polkit.addRule(function (action, subject) {
  if (action.id !== 'org.freedesktop.systemd1.manage-units') return undefined

  var allowed = [
${rules.join('\n')}
  ]
  var unit = action.lookup('unit')
  var verb = action.lookup('verb')
  var ok = allowed.some(function (rule) {
    return rule.user === subject.user && rule.verb === verb && rule.unit.test(unit)
  })
  return ok ? polkit.Result.YES : undefined
})
`
}

/** A unit's name as a regular expression: * stands for a number. @param {string} unit */
const patternOf = (unit) => `/^${unit.replace(/[.@]/g, '\\$&').replace('*', '[0-9]+')}$/`

/** The package's preinst, see deb-preinst(5): it says where this is a downgrade. @param {{ version: string }} about */
export const renderPreinst = ({ version }) => `#!/bin/sh
set -e

if [ "$1" = upgrade ] && dpkg --compare-versions "$2" gt '${version}'; then
  echo "understudy: this is a downgrade from $2 to ${version}; what a newer version has written in Consul may be unreadable to it, so look at understudy status" >&2
fi
`

/**
 * What other packages replace and nothing restarts: the package's postinst is called with "triggered", see deb-triggers(5).
 * @param {readonly Packaged[]} components
 */
export const renderTriggers = (components) =>
  all(components, ({ restarts }) => restarts)
    .map(({ program }) => `interest-noawait ${program}\n`)
    .join('')

/** The package's postinst, see deb-postinst(5). @param {readonly Packaged[]} components */
export const renderPostinst = (components) => `#!/bin/sh
set -e

# Units whose program was replaced go on with the old one until somebody restarts them.
restart_replaced() {
  [ -d /run/systemd/system ] || return 0
  for unit in ${all(components, ({ restarts }) => restarts)
    .map(({ unit }) => unit)
    .join(' ')}; do
    case $(readlink "/proc/$(systemctl show --property MainPID --value "$unit")/exe") in
      *'(deleted)') deb-systemd-invoke restart "$unit" ;;
    esac
  done
}

if [ "$1" = configure ]; then
${all(components, ({ users }) => users)
  .map((command) => `  ${command}\n`)
  .join('')}  mkdir -p /etc/understudy
  systemd-tmpfiles --create understudy.conf
  if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    # Configures a member as this package needs. The periodic check reports whether that succeeded.
    systemctl start --no-block understudy-upgrade.service || true
  fi
  # Where this package is configured, dpkg takes what has triggered it for done.
  restart_replaced
elif [ "$1" = triggered ]; then
  restart_replaced
fi
`

/**
 * Files of packaging/ and where they go on a machine.
 * @param {readonly Packaged[]} components
 * @returns {{ from: string, to: string, mode: number }[]}
 */
export const packagedFiles = (components) => [
  ...all(components, ({ scripts }) => scripts).map((file) => ({
    from: `packaging/${file}`,
    to: `usr/lib/understudy/handlers/${file.replace(/\.(sh|pl)$/, '')}`,
    mode: 0o755,
  })),
  { from: 'packaging/ask.pl', to: 'usr/lib/understudy/ask.pl', mode: 0o644 },
  ...all(components, ({ units }) => units).map((unit) => ({
    from: `packaging/systemd/${unit}`,
    to: `usr/lib/systemd/system/${unit}`,
    mode: 0o644,
  })),
  ...all(components, ({ dropIns }) => dropIns).map(({ unit, file, as }) => ({
    from: `packaging/systemd/${file}`,
    to: `usr/lib/systemd/system/${unit}.d/${as}`,
    mode: 0o644,
  })),
]
