import { peersOf } from '../consul/decide-peers.ts'
import type { Config, Seats } from '../consul/manifest.ts'
import type { Device } from '../core/interfaces.ts'
import { parseCidr, sameNetwork } from '../core/network.ts'
import { paths } from '../core/paths.ts'
import type { Settings } from '../core/settings.ts'
import { virtualIpPaths } from './manifest.ts'

/** The first line of a keepalived.conf of ours. */
const KEEPALIVED_HEADER = '# Written by understudy. The next join overwrites local changes.'

export interface KeepalivedOptions {
  node: string
  /** Carries the virtual IP. */
  interface: string
  virtualIp: string
  routerId: number
  priority: number
  /** Adverts go by unicast: from the interface with this machine's address to those of the other members. */
  unicast?: { interface: string; address: string; peers: readonly string[] }
}

/** What keepalived of a member is told. @param devices the addresses of this machine. */
export function keepalivedOf(
  settings: Settings,
  config: Pick<Config, 'virtualIp' | 'routerId' | 'vrrp'>,
  seats: Seats,
  devices: readonly Device[],
): KeepalivedOptions {
  const { node, interface: device, address, vipPriority: priority } = settings
  const [alone = ''] = config.virtualIp?.split('/') ?? []
  const others = peersOf(node, seats).map((peer) => peer.address)
  // With nobody to send to, keepalived would use multicast, and give the address up for a moment when it learns of the second
  // machine. What is sent to the virtual IP does not leave the machine that holds it.
  const peers = others.length > 0 ? others : [alone]
  const own = devices.find((one) => one.address === address)?.name ?? device
  return {
    ...{ node, interface: device, routerId: config.routerId, priority },
    virtualIp: addressOn(device, config.virtualIp ?? '', devices),
    ...(config.vrrp === 'unicast' ? { unicast: { interface: own, address, peers } } : {}),
  }
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
  const { unicast } = options
  // VRRP may run over another interface than the one that carries the address: both must work.
  const tracked =
    unicast === undefined || unicast.interface === options.interface
      ? ''
      : `    track_interface {
        ${options.interface}
    }
`
  const peers =
    unicast === undefined
      ? ''
      : `    unicast_src_ip ${unicast.address}
    unicast_peer {
${unicast.peers.map((peer) => `        ${peer}\n`).join('')}    }
`
  return `${KEEPALIVED_HEADER}
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
    interface ${unicast?.interface ?? options.interface}
${tracked}${peers}    virtual_router_id ${options.routerId}
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
