import { paths } from '../core/paths.ts'
import { virtualIpPaths } from './manifest.ts'

export interface KeepalivedOptions {
  node: string
  interface: string
  virtualIp: string
  routerId: number
  priority: number
}

/**
 * keepalived.conf, see keepalived.conf(5). Every machine starts as BACKUP; the highest priority wins. The track file adds
 * the primary's weight without a reload. VRRP version 3 allows adverts more often than once a second: a silent holder is
 * missed after 3.x intervals.
 */
export function renderKeepalived(options: KeepalivedOptions): string {
  // Calls overlap: one after the other, each reads the present state.
  // keepalived throws away what its scripts say: it goes to the journal.
  const handler = `/usr/bin/nice -n 10 /usr/bin/flock --wait 5 ${paths.lock('virtual-ip-state')} ${paths.handler('virtual-ip-state')}`
  const notify = `/usr/bin/systemd-cat --identifier=understudy ${handler}`
  return `# Written by understudy. Local settings are lost at the next join.
global_defs {
    router_id ${options.node}
    enable_script_security
    script_user keepalived_script
    vrrp_version 3
    # A busy machine must not miss its adverts.
    vrrp_priority -15
    vrrp_garp_master_repeat 3
}

track_file primary {
    file "${virtualIpPaths.weight}"
    weight 1
}

vrrp_instance understudy {
    state BACKUP
    interface ${options.interface}
    virtual_router_id ${options.routerId}
    priority ${options.priority}
    advert_int 0.1
    # A former primary whose cable is plugged in again still has its weight, and may be preferred: Consul tells it meanwhile.
    preempt_delay 10
    virtual_ipaddress {
        ${options.virtualIp} dev ${options.interface}
    }
    track_file {
        primary
    }
    notify "${notify}"
}
`
}
