import type { Random } from './random.ts'
import type { Stage } from './stage.ts'

export type Role = 'primary' | 'standby'

/** Whom a fault hits. */
export interface Aim {
  /** The machine that it hits, or that it starts from. */
  readonly machine: string
  /** The primary at that moment. */
  readonly primary: string
  readonly random: Random
}

/** Ends a fault; is called once, also where the machine has got over it already. */
export type Heal = () => Promise<void>

export interface Fault {
  /** One sentence; $ stands for the machine. */
  readonly what: string
  /** The roles that it makes sense on. */
  readonly on: readonly Role[]
  /** What it keeps from any other fault as long as it lasts. */
  readonly takes: 'nothing' | 'the machine' | 'the switch' | 'everything'
  inject(stage: Stage, aim: Aim): Promise<Heal>
}

/** For a fault that is over at once. */
export const nothingToHeal: Heal = async () => {}
