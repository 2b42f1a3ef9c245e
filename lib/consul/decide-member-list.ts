import type { CheckPlan } from '../core/component.ts'
import { otherAddresses } from './member-list.ts'
import type { Seats } from './schemas.ts'

export interface MemberListFacts {
  /** Addresses that Consul's configuration names; null where it names none. */
  listed: readonly string[] | null
  seats: Seats | null
  /** This machine's address. */
  own: string
}

export interface MemberListPlan extends CheckPlan {
  /** The addresses that it has to name. */
  addresses: string[]
}

/** Whom an agent looks for at its start has to be every other member: the one that it joined through may be off then. */
export function decideMemberList({ listed, seats, own }: MemberListFacts): MemberListPlan {
  const members = Object.values(seats?.seats ?? {}).map(({ address }) => address)
  const addresses = otherAddresses(members, own)
  if (seats === null) return { do: 'nothing', why: 'the members are not known', problems: [], addresses }
  if (listed?.join() === addresses.join())
    return { do: 'nothing', why: 'Consul looks for every member at its start', problems: [], addresses }
  return { do: 'write', why: 'the members have changed', problems: [], addresses }
}
