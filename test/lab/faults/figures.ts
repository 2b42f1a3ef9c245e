/** What a run of many rounds comes to. Pure. */
import type { Outcome } from './round.ts'
import type { Scenario } from './scenario.ts'

export interface Played {
  readonly scenario: Pick<Scenario, 'steps'>
  readonly outcome: Pick<Outcome, 'violations' | 'recoveryMs' | 'acknowledged' | 'lost' | 'doubled'>
}

export interface Figures {
  rounds: number
  /** Rounds in which a promise was broken. */
  broken: number
  /** Rounds with one fault, and with more. */
  singly: number
  together: number
  /** How often each fault came, the most frequent first. */
  faults: Record<string, number>
  acknowledged: number
  lost: number
  doubled: number
  /** Rounds after which the cluster did not get in order by itself. */
  stuck: number
  longestRecoveryMs: number
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)

/** The figures of these rounds. */
export function figuresOf(rounds: readonly Played[]): Figures {
  const outcomes = rounds.map(({ outcome }) => outcome)
  const faults = new Map<string, number>()
  for (const { fault } of rounds.flatMap(({ scenario }) => scenario.steps))
    faults.set(fault, (faults.get(fault) ?? 0) + 1)
  const singly = rounds.filter(({ scenario }) => scenario.steps.length === 1).length
  return {
    rounds: rounds.length,
    broken: outcomes.filter(({ violations }) => violations.length > 0).length,
    singly,
    together: rounds.length - singly,
    faults: Object.fromEntries([...faults].sort((a, b) => b[1] - a[1])),
    acknowledged: sum(outcomes.map(({ acknowledged }) => acknowledged)),
    lost: sum(outcomes.map(({ lost }) => lost)),
    doubled: sum(outcomes.map(({ doubled }) => doubled)),
    stuck: outcomes.filter(({ violations }) => violations.some(({ rule }) => rule === 'not recovered'))
      .length,
    longestRecoveryMs: Math.round(Math.max(0, ...outcomes.map(({ recoveryMs }) => recoveryMs ?? 0))),
  }
}

/** The figures for a person, a line each. */
export function figureLines(figures: Figures): string[] {
  const { rounds, broken, singly, together, faults, acknowledged, lost, doubled, stuck } = figures
  const named = Object.entries(faults).map(([fault, times]) => `${fault} ${times}`)
  return [
    `rounds: ${rounds} (one fault ${singly}, several ${together}); a promise was broken in ${broken}`,
    `faults: ${named.join(', ')}`,
    `writes acknowledged: ${acknowledged}, lost: ${lost}, doubled: ${doubled}`,
    `rounds in which the cluster got stuck: ${stuck}`,
    `longest recovery after healing: ${(figures.longestRecoveryMs / 1000).toFixed(1)} s`,
  ]
}
