/** Traffic between two machines that the switch throws away: what the rest of the network sees stays whole. */
import { existsSync } from 'node:fs'
import { run } from './host.ts'
import { namespacePath, switchNamespace } from './network.ts'

export interface Block {
  /** The machines, such as n1 and n2. */
  readonly between: readonly [string, string]
  /** Only TCP and UDP packets from or to one of these ports; without them everything, ARP and VRRP too. */
  readonly ports?: readonly number[]
  /** Only what the first machine sends to the second. */
  readonly oneWay?: boolean
}

/** All of it is in one table, which no one else has a rule in. */
const table = 'bridge understudy_lab'

const inSwitch = (lab: string, argv: readonly string[]): string[] => [
  ...['nsenter', `--net=${namespacePath(switchNamespace(lab))}`, 'nft'],
  ...argv,
]

/**
 * The rules of one direction. They name the switch's ends of the cables and no address, so they also hold for
 * multicast, for the virtual IP, and for the new card that a machine has after a power cycle.
 */
function rules(from: string, to: string, ports: readonly number[] | undefined): string[] {
  const way = `iifname "${from}" oifname "${to}"`
  const named = `${from} to ${to}${ports === undefined ? '' : `, ports ${ports.join(', ')}`}`
  const matches =
    ports === undefined
      ? [way]
      : ['sport', 'dport'].map((end) => `${way} meta l4proto { tcp, udp } th ${end} { ${ports.join(', ')} }`)
  return matches.map((match) => `add rule ${table} forward ${match} drop comment "${named}"`)
}

/** Adds a block to those that are there. */
export async function addBlock(lab: string, { between: [one, other], ports, oneWay }: Block): Promise<void> {
  if (one === other) throw new Error(`${one} cannot be blocked from itself`)
  const bad = ports?.find((port) => !Number.isInteger(port) || port < 1 || port > 65_535)
  if (bad !== undefined || ports?.length === 0) throw new Error(`ports are 1 to 65535, not "${bad ?? ''}"`)
  const script = [
    `add table ${table}`,
    `add chain ${table} forward { type filter hook forward priority 0; policy accept; }`,
    ...rules(one, other, ports),
    ...(oneWay ? [] : rules(other, one, ports)),
  ]
  await run(inSwitch(lab, ['-f', '-']), `${script.join('\n')}\n`)
}

/** Lets everything through again. */
export async function removeBlocks(lab: string): Promise<void> {
  // Adding what is there already is no error to nft, removing what is not there is one.
  await run(inSwitch(lab, ['-f', '-']), `add table ${table}\ndelete table ${table}\n`)
}

/** What is blocked, in words. */
export async function blocksOf(lab: string): Promise<string[]> {
  if (!existsSync(namespacePath(switchNamespace(lab)))) return []
  const ruleset = await run(inSwitch(lab, ['list', 'ruleset']))
  return [...new Set(Array.from(ruleset.matchAll(/comment "([^"]*)"/g), ([, words = '']) => words))]
}
