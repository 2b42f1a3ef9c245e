import { execFile } from 'node:child_process'
import { EXIT, UnderstudyError } from './errors.ts'
import type { Ran } from './exec.ts'

/**
 * Runs a program without a shell: as {@link tryRun}, for handlers that an event waits for. The import of execa takes half as long
 * as the start of Node.
 * @throws where it could not be started, or was killed: by a signal, or at the deadline.
 */
export function execQuick(program: string, args: readonly string[], timeoutMs: number): Promise<Ran> {
  return new Promise((resolve, reject) => {
    execFile(program, args, { timeout: timeoutMs }, (error, stdout, stderr) => {
      const exitCode = error === null ? 0 : error.code
      if (typeof exitCode === 'number') return resolve({ exitCode, stdout, stderr })
      const why = error?.killed ? `${program} did not end within ${timeoutMs} ms` : `could not run ${program}`
      reject(new UnderstudyError(EXIT.failed, why, { cause: error }))
    })
  })
}
