/**
 * The lab's wires. The switch, the machines and the clients each live in a namespace of the lab's own, so the
 * host's firewall and addresses do not matter and two labs may use the same addresses.
 */
import { existsSync } from 'node:fs'
import { run } from './host.ts'

/** The namespace that holds the switch, and that clients run in. */
export const switchNamespace = (lab: string): string => `us-${lab}`
const machineNamespace = (lab: string, machine: string): string => `us-${lab}-${machine}`

/** The file that `nsenter --net=` and nspawn take. */
export const namespacePath = (namespace: string): string => `/run/netns/${namespace}`
/** The same for one machine. */
export const machineNamespacePath = (lab: string, machine: string): string =>
  namespacePath(machineNamespace(lab, machine))

/** n1 is 10.77.0.11. */
export const addressOf = (number: number): string => `10.77.0.${10 + number}`
/** The clients' own address, on the switch. */
export const clientAddress = '10.77.0.254'

async function batch(namespace: string, commands: readonly string[]): Promise<void> {
  await run(['ip', '-n', namespace, '-batch', '-'], `${commands.join('\n')}\n`)
}

const exists = (namespace: string): boolean => existsSync(namespacePath(namespace))

/** Makes the switch, unless it is there. Snooping is off: VRRP's multicast must reach every port. */
export async function ensureSwitch(lab: string): Promise<void> {
  const namespace = switchNamespace(lab)
  if (exists(namespace)) {
    const links = await run(['ip', '-n', namespace, '-o', 'link'])
    if (links.includes(' br0:')) return
    await run(['ip', 'netns', 'del', namespace])
  }
  await run(['ip', 'netns', 'add', namespace])
  await batch(namespace, [
    'link set lo up',
    'link add br0 address 02:77:00:00:00:fe type bridge mcast_snooping 0 forward_delay 0 stp_state 0',
    `addr add ${clientAddress}/24 dev br0`,
    'link set br0 up',
  ])
}

/** Takes a machine's namespace and cable away. */
export async function unplug(lab: string, machine: string): Promise<void> {
  if ((await linkIsUp(lab, machine)) !== undefined) {
    // Deleted by name, because the end of a namespace alone takes its cable away only some time later.
    await run(['ip', '-n', switchNamespace(lab), 'link', 'del', machine])
  }
  const namespace = machineNamespace(lab, machine)
  if (exists(namespace)) await run(['ip', 'netns', 'del', namespace])
}

/**
 * Gives a machine a new, plugged-in network card. New at every power-on: a real machine does not keep
 * addresses (the virtual IP!), routes and firewall rules over a power cut.
 */
export async function plugIn(lab: string, machine: string, number: number): Promise<void> {
  await unplug(lab, machine)
  const namespace = machineNamespace(lab, machine)
  await run(['ip', 'netns', 'add', namespace])
  const mac = `02:77:00:00:00:${(10 + number).toString(16).padStart(2, '0')}`
  await batch(switchNamespace(lab), [
    `link add ${machine} type veth peer name eth0 address ${mac} netns ${namespace}`,
    `link set ${machine} master br0`,
    `link set ${machine} up`,
  ])
  await batch(namespace, [
    'link set lo up',
    `addr add ${addressOf(number)}/24 broadcast + dev eth0`,
    'link set eth0 up',
  ])
}

/** Pulls the cable out at the switch, or puts it back. */
export async function setLink(lab: string, machine: string, state: 'up' | 'down'): Promise<void> {
  await run(['ip', '-n', switchNamespace(lab), 'link', 'set', machine, state])
}

/** Whether the cable is plugged in; undefined when the machine has none. */
export async function linkIsUp(lab: string, machine: string): Promise<boolean | undefined> {
  if (!exists(switchNamespace(lab))) return undefined
  const links = await run(['ip', '-n', switchNamespace(lab), '-o', 'link', 'show', 'type', 'veth'])
  const line = links.split('\n').find((candidate) => candidate.includes(` ${machine}@`))
  return line === undefined ? undefined : /<[^>]*\bUP\b/.test(line)
}

/** Removes all of a lab's namespaces, also those that nothing recorded. */
export async function removeNetwork(lab: string): Promise<void> {
  const listed = await run(['ip', 'netns', 'list'])
  const names = listed.split('\n').map((line) => line.split(' ')[0] ?? '')
  const own = new RegExp(`^us-${lab}(-n\\d+)?$`)
  for (const namespace of names.filter((name) => own.test(name)).reverse()) {
    await run(['ip', 'netns', 'del', namespace])
  }
}
