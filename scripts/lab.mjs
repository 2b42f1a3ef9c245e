#!/usr/bin/env -S npx tsx
// The lab's command line: real Debian machines on this host. See `npm run lab -- --help`.
import { spawn } from 'node:child_process'
import { parseArgs } from 'node:util'
import { chalk } from 'zx'
import { Lab } from '../test/lab/lib/lab.ts'
import { statusOf } from '../test/lab/lib/status.ts'

const help = `Usage: npm run lab -- COMMAND [--lab NAME]

  up [--machines N] [--suite trixie|bookworm] [--consul debian|hashicorp] [--clocks]
                                                start the lab, or the part of it that is missing (3 machines)
  down                                          end it and remove the machines' disks
  status [--json]                               which machines are on, plugged in, frozen or blocked
  exec MACHINE -- COMMAND...                    run a command in a machine
  client -- COMMAND...                          run a command of this host on the lab's network
  poweroff MACHINE   poweron MACHINE            power cut; boot from the same disk
  cut MACHINE        heal MACHINE               pull the network cable; put it back
  freeze MACHINE     thaw MACHINE               stop every process; let them continue
  block MACHINE MACHINE [--ports N,N] [--one-way]
                                                drop what two machines send each other (with --one-way, only what the
                                                first sends to the second; with --ports, only TCP and UDP on these ports)
  unblock                                       end all blocks
  fill MACHINE       free MACHINE               fill the file system of its databases; free it again
  clock MACHINE SECONDS                         set its wall clock ahead of the real time, in a lab that was
                                                started with --clocks; to set it behind: clock MACHINE -- -SECONDS

Machines are n1 to n7, with the addresses 10.77.0.11 to 10.77.0.17. --lab names another lab than "default".

Examples:
  npm run lab -- up --machines 3
  npm run lab -- exec n1 -- systemctl status postgresql
  npm run lab -- poweroff n1
  npm run lab -- block n1 n2 --ports 5432
  npm run lab -- up --lab old --suite bookworm
  npm run lab -- up --consul hashicorp
`

class UsageError extends Error {}

/** @param {string} line */
const say = (line) => process.stderr.write(`${chalk.dim('lab:')} ${line}\n`)

/**
 * Runs a command line with our own streams and gives its exit status.
 * @param {readonly string[]} argv
 * @returns {Promise<number>}
 */
function attach(argv) {
  const [file = '', ...rest] = argv
  return new Promise((resolve, reject) => {
    const child = spawn(file, rest, { stdio: 'inherit' })
    child.once('error', reject)
    child.once('exit', (code, signal) => resolve(code ?? (signal === null ? 1 : 137)))
  })
}

/**
 * @param {string} name
 * @param {boolean} json
 */
async function showStatus(name, json) {
  const status = await statusOf(await Lab.open(name))
  if (json) {
    process.stdout.write(`${JSON.stringify(status, null, 2)}\n`)
    return
  }
  process.stdout.write(
    `lab ${status.name}: ${status.suite}, clients in namespace ${status.clientNamespace}\n`,
  )
  for (const block of status.blocks) process.stdout.write(`${chalk.yellow('blocked')}: ${block}\n`)
  for (const machine of status.machines) {
    const power = machine.power === 'on' ? chalk.green('on ') : chalk.red('off')
    const cable = machine.link === 'up' ? 'plugged in' : chalk.yellow('cable out')
    const frozen = machine.frozen ? `  ${chalk.cyan('frozen')}` : ''
    process.stdout.write(
      `${machine.name}  ${machine.address}  ${power}  ${cable}${frozen}  ${machine.system}\n`,
    )
  }
}

/** @param {Record<'machines' | 'suite' | 'consul', string | undefined> & { lab: string, clocks: boolean }} options */
async function up({ lab: name, machines, suite, consul, clocks }) {
  if (machines !== undefined && !/^[1-7]$/.test(machines)) throw new UsageError('--machines takes 1 to 7')
  if (suite !== undefined && suite !== 'trixie' && suite !== 'bookworm') {
    throw new UsageError('--suite takes trixie or bookworm')
  }
  if (consul !== undefined && consul !== 'debian' && consul !== 'hashicorp') {
    throw new UsageError('--consul takes debian or hashicorp')
  }
  const started = performance.now()
  const lab = await Lab.up({
    name,
    clocks,
    log: say,
    ...(machines === undefined ? {} : { machines: Number(machines) }),
    ...(suite === undefined ? {} : { suite }),
    ...(consul === undefined ? {} : { consul }),
  })
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  say(`${name} is up: ${lab.machines.map((m) => `${m.name} ${m.address}`).join(', ')} (${seconds} s)`)
}

const parsed = (() => {
  try {
    return parseArgs({
      args: process.argv.slice(2),
      allowPositionals: true,
      tokens: true,
      options: {
        lab: { type: 'string', default: 'default' },
        machines: { type: 'string' },
        suite: { type: 'string' },
        consul: { type: 'string' },
        clocks: { type: 'boolean', default: false },
        ports: { type: 'string' },
        'one-way': { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
})()

/** What the help calls MACHINE, to the method that does it. */
const switches = {
  ...{ poweroff: 'poweroff', poweron: 'poweron', cut: 'cut', heal: 'heal', freeze: 'freeze', thaw: 'thaw' },
  ...{ fill: 'fillDisk', free: 'freeDisk' },
}

/**
 * @param {Lab} lab
 * @param {string[]} machines
 * @param {{ ports?: string | undefined, 'one-way': boolean }} options
 */
async function block(lab, [one, other, ...more], { ports, 'one-way': oneWay }) {
  if (one === undefined || other === undefined || more.length > 0)
    throw new UsageError('block takes two machines, such as n1 n2')
  if (ports !== undefined && !/^\d+(,\d+)*$/.test(ports))
    throw new UsageError('--ports takes numbers: --ports 5432,8300')
  await lab.block({
    between: [one, other],
    oneWay,
    ...(ports === undefined ? {} : { ports: ports.split(',').map(Number) }),
  })
}

/**
 * @param {string} command
 * @param {string[]} rest
 * @param {Exclude<typeof parsed, Error>['values']} values
 */
async function act(command, rest, values) {
  const name = values.lab
  const [machine, ...argv] = rest
  if (command === 'client') {
    if (machine === undefined) throw new UsageError('client takes a command: client -- COMMAND...')
    return attach((await Lab.open(name)).clientCommand(rest))
  }
  if (command === 'exec') {
    if (machine === undefined || argv.length === 0) {
      throw new UsageError('exec takes a machine and a command: exec n1 -- COMMAND...')
    }
    return attach((await Lab.open(name)).execCommand(machine, argv))
  }
  if (command === 'block') {
    await block(await Lab.open(name), rest, values)
    return 0
  }
  if (command === 'clock') {
    if (machine === undefined || argv.length !== 1 || !/^[+-]?\d+(\.\d+)?$/.test(argv[0] ?? ''))
      throw new UsageError('clock takes a machine and seconds: clock n1 90, or clock n1 -- -90')
    await (await Lab.open(name)).moveClock(machine, Number(argv[0]))
    return 0
  }
  if (command in switches) {
    if (machine === undefined || argv.length > 0)
      throw new UsageError(`${command} takes one machine, such as n1`)
    const lab = await Lab.open(name)
    await lab[/** @type {'poweroff'} */ (switches[/** @type {keyof typeof switches} */ (command)])](machine)
    return 0
  }
  if (rest.length > 0) throw new UsageError(`${command} takes no "${rest.join(' ')}"`)
  if (command === 'up') await up({ machines: undefined, suite: undefined, consul: undefined, ...values })
  else if (command === 'down') {
    await Lab.remove(name)
    say(`${name} is down`)
  } else if (command === 'unblock') await (await Lab.open(name)).unblock()
  else if (command === 'status') await showStatus(name, values.json)
  else throw new UsageError(`there is no command "${command}"; --help lists them`)
  return 0
}

try {
  if (parsed instanceof Error) throw new UsageError(parsed.message)
  const [command, ...rest] = parsed.positionals
  if (parsed.values.help) process.stdout.write(help)
  else if (command === undefined) throw new UsageError('name a command; --help lists them')
  else if (process.getuid?.() !== 0)
    throw new Error('the lab needs root (namespaces, mounts): run it with sudo')
  else process.exitCode = await act(command, rest, parsed.values)
} catch (error) {
  const cause = error instanceof Error && error.cause instanceof Error ? `\n${error.cause.message}` : ''
  process.stderr.write(`lab: ${error instanceof Error ? error.message : String(error)}${cause}\n`)
  process.exitCode = error instanceof UsageError ? 64 : 1
}
