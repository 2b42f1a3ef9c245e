/**
 * Called by: keepalived's `notify`, as keepalived_script. Calls may overlap and arrive out of order.
 * Also by the periodic check, without arguments: then only the address counts.
 * argv: INSTANCE|GROUP NAME MASTER|BACKUP|FAULT|STOP PRIORITY. stdin: nothing.
 * Exit codes (keepalived only logs them): 0 done or nothing to do (also where Consul does not answer), 64 usage, 75 deadline.
 */
import { main } from '../lib/consul/handler.ts'
import { usageError } from '../lib/core/errors.ts'
import { requestServices } from '../lib/services/request.ts'
import type { VrrpState } from '../lib/virtual-ip/decide-state.ts'
import { observeVirtualIpState } from '../lib/virtual-ip/observe-state.ts'
import { virtualIpState } from '../lib/virtual-ip/state.ts'

const STATES: readonly string[] = ['MASTER', 'BACKUP', 'FAULT', 'STOP'] satisfies VrrpState[]

const { name, decide, apply } = virtualIpState

main({
  name,
  help: `virtual-ip-state [INSTANCE NAME MASTER|BACKUP|FAULT|STOP PRIORITY] [--dry-run]
Publishes whether this machine holds the virtual IP. Called by keepalived's notify and by the periodic check.`,
  timeoutMs: 10_000,
  parse(argv): VrrpState | null {
    if (argv.length === 0) return null
    const state = argv[2]
    if (state === undefined || !STATES.includes(state)) {
      throw usageError(
        `expected INSTANCE NAME ${STATES.join('|')} PRIORITY, got: ${argv.join(' ') || 'nothing'}`,
      )
    }
    return state as VrrpState
  },
  observe: observeVirtualIpState,
  decide,
  async apply(plan, context) {
    // First: Consul may not answer.
    await requestServices()
    await apply(plan, context)
  },
})
