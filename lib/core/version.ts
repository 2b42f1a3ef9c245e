// Filled in by build.mjs; a test runs the sources as they are.
declare const UNDERSTUDY_VERSION: string
declare const UNDERSTUDY_BUILT_MS: number

export const version: string = typeof UNDERSTUDY_VERSION === 'string' ? UNDERSTUDY_VERSION : 'unbuilt'
/** When this was built, in epoch milliseconds: a clock that is behind it is wrong. */
export const builtMs: number = typeof UNDERSTUDY_BUILT_MS === 'number' ? UNDERSTUDY_BUILT_MS : 0
/** Names this build, for people too: two builds of one version have different names. */
export const build = `${version} of ${new Date(builtMs).toISOString()}`
