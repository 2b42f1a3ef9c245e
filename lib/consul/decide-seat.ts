import type { Seats } from './schemas.ts'

export type Seat = Seats['seats'][string]

/** VRRP priority of the first machine, and the distance to the next: a joining machine comes below all others. */
const FIRST_PRIORITY = 100
const PRIORITY_STEP = 5

export interface Applicant {
  node: string
  machineId: string
  address: string
}

export type Claim =
  | { outcome: 'held'; seat: Seat }
  | { outcome: 'claimed'; seat: Seat; seats: Seats }
  | { outcome: 'refused'; why: string }

/**
 * Gives an applicant a repmgr id and a VRRP priority that nobody else has. A machine recognises the seat that it claimed earlier by
 * its machine id. The caller writes the new document by compare-and-set, and asks again if somebody else was quicker.
 */
export function claimSeat(document: Seats | null, { node, machineId, address }: Applicant): Claim {
  const seats = document?.seats ?? {}
  const existing = seats[node]
  if (existing) {
    if (existing.machineId !== machineId) {
      return {
        outcome: 'refused',
        why: `${node} is already a member, at ${existing.address}; give this machine another host name`,
      }
    }
    if (existing.address === address) return { outcome: 'held', seat: existing }
    return {
      outcome: 'refused',
      why: `${node} joined with the address ${existing.address}, but now has ${address}; give it its old address back`,
    }
  }
  const taken = Object.entries(seats).find(([, seat]) => seat.address === address)
  if (taken) return { outcome: 'refused', why: `${taken[0]} has the address ${address} already` }

  const twin = Object.entries(seats).find(([, seat]) => seat.machineId === machineId)
  if (twin)
    return {
      outcome: 'refused',
      why: `${node} has the machine id of ${twin[0]}, as machines cloned from one template do; give it one of its own (rm /etc/machine-id /var/lib/dbus/machine-id; systemd-machine-id-setup) and reboot it`,
    }

  const others = Object.values(seats)
  const seat: Seat = {
    machineId,
    address,
    repmgrId: Math.max(0, ...others.map(({ repmgrId }) => repmgrId)) + 1,
    vipPriority:
      Math.min(FIRST_PRIORITY + PRIORITY_STEP, ...others.map(({ vipPriority }) => vipPriority)) -
      PRIORITY_STEP,
  }
  if (seat.vipPriority < 1)
    return { outcome: 'refused', why: 'no keepalived priority is left below those of the members' }
  return { outcome: 'claimed', seat, seats: { schema: 1, seats: { ...seats, [node]: seat } } }
}
