import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { whyNotMember } from '../../../lib/consul/decide-join.ts'

const applicant = { node: 'n2', machineId: 'y', address: '10.77.0.12' }
const facts = { foreignConsul: false, seats: null, applicant }
const seatOf = (machineId: string, address: string) => ({ machineId, address, repmgrId: 1, vipPriority: 100 })
const withSeat = (node: string, machineId: string, address: string) => ({
  ...facts,
  seats: { schema: 1, seats: { [node]: seatOf(machineId, address) } } as const,
})

describe('join: whether a machine can be a member', () => {
  const cases = [
    ['the first', facts, null],
    ['another one', withSeat('n1', 'x', '10.77.0.11'), null],
    ['a member that joins again', withSeat('n2', 'y', '10.77.0.12'), null],
    ['a Consul of somebody else', { ...facts, foreignConsul: true }, /not part of an understudy cluster/],
    ['a name that is taken', withSeat('n2', 'x', '10.77.0.11'), /n2 is already a member, at 10\.77\.0\.11/],
    ['another address than at its join', withSeat('n2', 'y', '10.77.0.13'), /joined with the address/],
    ['an address that is taken', withSeat('n1', 'x', '10.77.0.12'), /n1 has the address 10\.77\.0\.12/],
  ] as const
  for (const [caption, given, why] of cases) {
    test(caption, () => {
      const said = whyNotMember(given)
      if (why === null) assert.equal(said, null)
      else assert.match(said ?? '', why)
    })
  }
})
