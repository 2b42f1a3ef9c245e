/** The arguments of a script for people, whether Node runs it itself or zx does (`npx zx scripts/join.mjs ...`). */
export const commandArguments = (): string[] => process.argv.slice(process.argv[1]?.endsWith('zx') ? 3 : 2)
