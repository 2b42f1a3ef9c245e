// Filled in by build.mjs.
declare const UNDERSTUDY_VERSION: string
declare const UNDERSTUDY_BUILT_MS: number

export const version: string = UNDERSTUDY_VERSION
/** When this was built, in epoch milliseconds: a clock that is behind it is wrong. */
export const builtMs: number = UNDERSTUDY_BUILT_MS
