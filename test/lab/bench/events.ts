/** What can happen to a cluster, and how long a client may be unable to write then. */
import { waitFor } from '../../../lib/core/wait.ts'
import { startBusyLoops } from './busy.ts'
import type { Scene } from './stage.ts'

export interface Event {
  readonly name: string
  readonly title: string
  readonly goalMs: number
  /** The goal beside Patroni: at most so much of what its default settings take. */
  readonly peerGoal?: number
  /** Whether another machine may become the primary. */
  readonly mayFailOver: boolean
  /** Whether it is of interest what a failover is made of. */
  readonly hasMilestones?: boolean
  /** How long it lasts, where it is undone by us and that belongs to what is measured. */
  readonly lastsMs?: number
  /** Brings the cluster into the state that the event needs. Returns whether it was already. */
  prepare?(scene: Scene): Promise<boolean>
  /** Makes it happen. `run` counts from 0. */
  strike(scene: Scene, run: number): Promise<void>
  /** Undoes it. */
  heal(scene: Scene, run: number): Promise<void>
}

const sh = async ({ lab }: Scene, machine: string, script: string): Promise<string> =>
  (await lab.exec(machine, ['sh', '-c', script])).stdout

/** Hard, and for good: systemd would start it again. */
const stopAgent = (scene: Scene, machine: string) =>
  sh(scene, machine, 'systemctl kill --kill-whom=main --signal=KILL consul; systemctl stop consul')
const startAgent = (scene: Scene, machine: string) => sh(scene, machine, 'systemctl start consul')

/** The standby whose agent does not lead Consul. */
const follower = ({ standbys: [one, other], consulLeader }: Scene): string =>
  consulLeader === one ? other : one

/** The machines, of three, that lose their agents when the quorum is lost: with the primary's, and without it. */
const minority = ({ primary, standbys: [one, other] }: Scene, run: number): [string, string] =>
  run % 2 === 0 ? [primary, one] : [one, other]

/** Consul elects another leader while the agent of the present one starts again. */
async function moveConsulLeader(scene: Scene): Promise<boolean> {
  if (scene.consulLeader !== scene.primary) return true
  await sh(scene, scene.primary, 'systemctl restart consul')
  await waitFor('Consul has a leader', 30_000, async () => {
    const leader = await sh(scene, scene.primary, 'curl -s http://127.0.0.1:8500/v1/status/leader')
    return leader.length > 2 || null
  })
  return false
}

/** The failover that is measured most. */
export const primaryPower: Event = {
  name: 'primary-power',
  title: 'power cut of the primary',
  goalMs: 4_500,
  peerGoal: 1 / 4,
  mayFailOver: true,
  hasMilestones: true,
  strike: async ({ lab, primary }) => void (await lab.poweroff(primary)),
  heal: ({ lab, primary }) => lab.poweron(primary),
}

let stopLoops = (): void => {}

export const events: readonly Event[] = [
  primaryPower,
  {
    name: 'primary-busy',
    title: 'power cut of the primary, with two busy loops on each machine',
    goalMs: 8_000,
    mayFailOver: true,
    hasMilestones: true,
    async strike({ lab, primary }) {
      stopLoops = startBusyLoops(lab)
      await lab.poweroff(primary)
    },
    async heal({ lab, primary }) {
      stopLoops()
      await lab.poweron(primary)
    },
  },
  {
    name: 'primary-cable',
    title: 'cable of the primary pulled',
    goalMs: 4_500,
    mayFailOver: true,
    hasMilestones: true,
    strike: ({ lab, primary }) => lab.cut(primary),
    heal: ({ lab, primary }) => lab.heal(primary),
  },
  {
    name: 'postmaster',
    title: 'postmaster killed',
    goalMs: 1_500,
    peerGoal: 1 / 2,
    mayFailOver: true,
    strike: async (scene) =>
      void (await sh(
        scene,
        scene.primary,
        'kill -KILL "$(head -n 1 /var/lib/postgresql/*/main/postmaster.pid)"',
      )),
    heal: async () => {},
  },
  {
    name: 'standby-power',
    title: 'power cut of a standby',
    goalMs: 1_500,
    mayFailOver: false,
    strike: async ({ lab, standbys }, run) => void (await lab.poweroff(standbys[run % 2] as string)),
    heal: ({ lab, standbys }, run) => lab.poweron(standbys[run % 2] as string),
  },
  {
    name: 'consul-server',
    title: 'Consul agent of a standby away for 15 s',
    goalMs: 1_000,
    mayFailOver: false,
    lastsMs: 15_000,
    strike: async (scene) => void (await stopAgent(scene, follower(scene))),
    heal: async (scene) => void (await startAgent(scene, follower(scene))),
  },
  {
    name: 'consul-leader',
    title: "Consul's leader, on a standby, away for 15 s",
    goalMs: 1_000,
    mayFailOver: false,
    lastsMs: 15_000,
    prepare: moveConsulLeader,
    strike: async (scene) => void (await stopAgent(scene, scene.consulLeader)),
    heal: async (scene) => void (await startAgent(scene, scene.consulLeader)),
  },
  {
    name: 'consul-killed',
    title: "Consul agent of the primary's machine killed",
    goalMs: 1_000,
    mayFailOver: false,
    strike: async (scene) =>
      void (await sh(scene, scene.primary, 'systemctl kill --kill-whom=main --signal=KILL consul')),
    heal: async () => {},
  },
  {
    name: 'consul-primary',
    title: "Consul agent of the primary's machine away for 60 s",
    goalMs: 1_000,
    mayFailOver: false,
    lastsMs: 60_000,
    strike: async (scene) => void (await stopAgent(scene, scene.primary)),
    heal: async (scene) => void (await startAgent(scene, scene.primary)),
  },
  {
    name: 'consul-quorum',
    title: 'Consul without a quorum for 60 s',
    goalMs: 1_000,
    mayFailOver: false,
    lastsMs: 60_000,
    strike: async (scene, run) =>
      void (await Promise.all(minority(scene, run).map((machine) => stopAgent(scene, machine)))),
    heal: async (scene, run) =>
      void (await Promise.all(minority(scene, run).map((machine) => startAgent(scene, machine)))),
  },
]
