/** The cluster of a test file, for files whose tests share one. */
import { after, afterEach, before } from 'node:test'
import { appPassword, packageFile, sqlThroughVirtualIp } from './cluster.ts'
import { upJoined } from './joined.ts'
import { Lab } from './lab.ts'
import { putRight } from './restore.ts'
import { CREATE_TABLE } from './writer.ts'

/**
 * Starts a cluster before the tests of the calling file, with the table that clients write to, and removes it after them. What a test
 * leaves broken is put right after it: one that fails halfway must not take the others with it.
 * @param ready gets the lab and the application's password.
 */
export function ownCluster(name: string, ready: (lab: Lab, password: string) => void): void {
  let lab: Lab
  before(async () => {
    lab = await upJoined({ name, log: console.log })
    const password = await appPassword(lab, 'n1')
    await sqlThroughVirtualIp(lab, password, CREATE_TABLE)
    ready(lab, password)
  })
  afterEach(() => putRight(lab, console.error))
  after(() => Lab.remove(name))
}

/** Three machines with the package, which the tests of the calling file join themselves. @param ready gets the lab. */
export function ownMachines(name: string, ready: (lab: Lab) => void): void {
  before(async () => {
    await Lab.remove(name) // what an interrupted run left
    const lab = await Lab.up({ name, machines: 3, log: console.log })
    await lab.installPackage(packageFile())
    ready(lab)
  })
  after(() => Lab.remove(name))
}
