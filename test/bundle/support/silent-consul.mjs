// Listens where Consul does and never says a word; runs a program of ours meanwhile and ends as it does.
import { spawn } from 'node:child_process'
import { createServer } from 'node:net'

createServer(() => {}).listen(8500, '127.0.0.1', () => {
  const [program = '', ...args] = process.argv.slice(2)
  const child = spawn(program, args, { stdio: 'inherit' })
  child.once('exit', (code) => process.exit(code ?? 1))
})
