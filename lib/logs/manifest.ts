import definitions from '../../consul-config/logs.json' with { type: 'json' }
import { definitionsOf } from '../consul/definitions.ts'
import type { Context } from '../consul/handler.ts'
import type { Joining } from '../consul/joining.ts'
import { type Component, describe } from '../core/component.ts'
import { etc } from '../core/paths.ts'

/** Port of the receiver of a member. Not systemd's own 19532, which a receiver of the operator may have. */
export const RECEIVER_PORT = 19_533

const copied = '/var/lib/understudy/logs'

export const logsPaths = {
  /** Where the receiver of this machine listens. */
  receiver: `${etc}/logs/receiver.env`,
  uploads: `${etc}/logs/to`,
  /** Where the log of this machine is sent: one file a member. */
  upload: (node: string): string => `${etc}/logs/to/${node}.env`,
  /** How far the log of this machine has been sent: one file a member, written by systemd-journal-upload. */
  state: (node: string): string => `${copied}/${node}`,
  /** The logs of the other members. journalctl --merge finds them here. */
  received: '/var/log/journal/remote',
} as const

export const logsUnits = {
  receiver: 'understudy-log-receiver.service',
  upload: (node: string): string => `understudy-log-upload@${node}.service`,
  peers: 'understudy-log-peers.service',
  postgresql: 'understudy-log-postgresql.service',
  limit: 'understudy-log-limit.timer',
} as const

/** systemd's journals, of which every member has those of all others. */
export const logs: Component<Context, Joining> = /* @__PURE__ */ describe(() => ({
  name: 'logs',
  title: 'systemd-journal-upload and -remote',
  keys: {},
  keysAbout: [],
  paths: logsPaths,
  filesAbout: [
    { path: logsPaths.receiver, holds: 'where the receiver of logs listens' },
    { path: `${logsPaths.uploads}/NODE.env`, holds: 'where the log of this machine is sent' },
    { path: `${copied}/NODE`, holds: 'how far the log of this machine has been sent' },
    { path: logsPaths.received, holds: 'the logs of the other members, at most 2 GB' },
  ],
  ports: [{ port: `${RECEIVER_PORT}/tcp`, what: 'logs of the other members', from: 'the members' }],
  handlers: [
    {
      name: 'log-peers',
      user: 'root',
      calledBy: 'understudy-log-peers.service; join',
      does: "sets up the sending of this machine's log to every other member",
    },
  ],
  daemons: [logsUnits.receiver, logsUnits.postgresql, logsUnits.limit],
  package: {
    depends: [
      {
        package: 'systemd-journal-remote',
        program: '/usr/lib/systemd/systemd-journal-remote',
      },
    ],
    units: [
      ...['understudy-log-upload@.service', 'understudy-log-limit.service'],
      ...[logsUnits.receiver, logsUnits.peers, logsUnits.postgresql, logsUnits.limit],
    ],
    restarts: [{ program: '/usr/lib/systemd/systemd-journal-remote', unit: logsUnits.receiver }],
    tmpfiles: [
      `d ${copied} 0700 understudy-logs understudy-logs`,
      // Who may read the journal of this machine may read those of the others.
      `d ${logsPaths.received} 2750 systemd-journal-remote systemd-journal`,
    ],
    users: [
      // Who reads the journal and sends it.
      'getent passwd understudy-logs >/dev/null || adduser --system --quiet --group --no-create-home --home /nonexistent understudy-logs',
      'adduser --quiet understudy-logs systemd-journal',
    ],
    polkit: [{ user: 'consul', verb: 'start', units: [logsUnits.peers] }],
  },
  consul: (settings) => definitionsOf(definitions, settings),
  check: () => import('./check.ts'),
  join: () => import('./join.ts'),
}))
