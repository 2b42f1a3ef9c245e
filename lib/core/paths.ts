/** Where the product lies on a machine. What belongs to one component stands in its manifest. */

const lib = '/usr/lib/understudy'
/** Locks of handlers and everything else that must not outlive a boot. */
export const run = '/run/understudy'
export const etc = '/etc/understudy'

export const paths = {
  handler: (name: string): string => `${lib}/handlers/${name}`,
  /** Facts about this machine as a member (no secrets, world-readable). */
  node: `${etc}/node.json`,
  /** The build that has configured this machine. */
  configured: '/var/lib/understudy/configured',
  /** How often and why this machine could not be configured after an upgrade of the package. */
  upgradeFailed: `${run}/upgrade-failed.json`,
  /** What the last run of the check has asked, if nothing was to do. */
  questions: `${run}/check/questions`,
  /** The answers that `quick-check` compares with, for the user consul only. */
  answers: `${run}/check/answers`,
  /** What `quick-check` has recorded last. */
  recorded: `${run}/check/recorded`,
  lock: (name: string): string => `${run}/lock/${name}`,
  /** How often and since when a daemon has not answered. */
  silent: (unit: string): string => `${run}/check/silent-${unit}.json`,
} as const
