import { existsSync } from 'node:fs'
import { EXIT, UnderstudyError } from '../core/errors.ts'
import { systemUser } from '../core/users.ts'
import { whyNotMember } from './decide-join.ts'
import { consulData, registerServices, startConsul } from './join-agent.ts'
import { foundCluster, takeSeat } from './join-cluster.ts'
import { confirmMember, publishMember } from './join-member.ts'
import { applicantOf, type Part } from './joining.ts'
import { consulPaths } from './manifest.ts'

/** Consul's part of a join. */
export const part: Part = {
  async look(joining) {
    const why = whyNotMember({
      foreignConsul: !existsSync(consulPaths.config) && existsSync(`${consulData()}/raft`),
      seats: joining.cluster?.seats ?? null,
      applicant: applicantOf(joining),
    })
    if (why !== null) throw new UnderstudyError(EXIT.config, why)
    await systemUser('consul')
  },
  steps: [
    { phase: 'membership', title: 'start Consul', run: startConsul },
    { phase: 'membership', only: 'first', title: 'found the cluster', run: foundCluster },
    { phase: 'membership', only: 'joiner', title: 'take a seat', run: takeSeat },
    { phase: 'registration', title: 'register services, checks and watches', run: registerServices },
    { phase: 'publication', title: 'publish the member', run: publishMember },
    { phase: 'confirmation', title: 'wait for the checks', run: confirmMember },
  ],
  upgrade: [
    { phase: 'membership', title: 'start Consul', run: startConsul },
    { phase: 'membership', title: 'read the cluster', run: takeSeat },
    { phase: 'registration', title: 'register services, checks and watches', run: registerServices },
    { phase: 'publication', title: 'publish the member', run: publishMember },
  ],
  checks: ['serfHealth', 'understudy'],
  leave: [],
}
