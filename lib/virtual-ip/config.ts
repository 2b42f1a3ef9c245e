import type { Device } from '../core/interfaces.ts'
import { parseCidr, sameNetwork } from '../core/network.ts'
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
 * The virtual IP as it is put on an interface. With another netmask than the interface's own address it would bring a route of its
 * own, and connections to the other members would come from it: it gets none. Where it is alone in its network it keeps its netmask.
 */
export function addressOn(device: string, virtualIp: string, devices: readonly Device[]): string {
  const cidr = parseCidr(virtualIp)
  if (!cidr) return virtualIp
  const { address, prefix } = cidr
  const beside = devices.find(
    (own) => own.name === device && own.address !== address && sameNetwork(cidr, own.address),
  )
  return beside === undefined || beside.prefix === prefix ? virtualIp : `${address}/32`
}

/**
 * keepalived.conf, see keepalived.conf(5). Every machine starts as BACKUP, and the highest priority wins. keepalived adds
 * the weight in the track file to the priority, without a reload. VRRP version 3 allows several adverts a second: a silent
 * holder is noticed after three to four of them.
 */
export function renderKeepalived(options: KeepalivedOptions): string {
  // Calls may overlap: under the lock, each reads the current state.
  // keepalived discards the output of its scripts, so it goes to the journal.
  const handler = `/usr/bin/nice -n 10 /usr/bin/flock --wait 5 ${paths.lock('virtual-ip-state')} ${paths.handler('virtual-ip-state')}`
  const notify = `/usr/bin/systemd-cat --identifier=understudy ${handler}`
  return `# Written by understudy. The next join overwrites local changes.
global_defs {
    router_id ${options.node}
    enable_script_security
    script_user keepalived_script
    vrrp_version 3
    # A busy machine must send its adverts in time.
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
    # A former primary that was cut off may still have the weight of a primary: Consul corrects it within this time.
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
