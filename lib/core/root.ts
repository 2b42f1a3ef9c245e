import { EXIT, UnderstudyError } from './errors.ts'

/** What a command says that only root can run. @param because why that is so. @param also what else to do, beside sudo. */
export function needsRoot(because?: string, also?: string): UnderstudyError {
  const reason = because === undefined ? '' : `, because ${because}`
  const advice = also === undefined ? '' : `, and ${also}`
  return new UnderstudyError(EXIT.config, `this command needs root${reason}; run it with sudo${advice}`)
}

/** Refuses to go on as anybody else than root. @param because why. @param also what else to do. @throws {@link needsRoot} says it. */
export function requireRoot(because?: string, also?: string): void {
  if (process.getuid?.() !== 0) throw needsRoot(because, also)
}
