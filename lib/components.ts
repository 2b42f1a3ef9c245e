import { command } from './command/manifest.ts'
import type { Context } from './consul/handler.ts'
import type { Joining } from './consul/joining.ts'
import { consul } from './consul/manifest.ts'
import type { Component } from './core/component.ts'
import { files } from './files/manifest.ts'
import { logs } from './logs/manifest.ts'
import { pooler } from './pooler/manifest.ts'
import { postgresql } from './postgresql/manifest.ts'
import { rabbitmq } from './rabbitmq/manifest.ts'
import { search } from './search/manifest.ts'
import { operatorServices } from './services/manifest.ts'
import { tasks } from './tasks/manifest.ts'
import { virtualIp } from './virtual-ip/manifest.ts'

/** Everything that a cluster is made of, in the order in which a machine is set up. */
export const components: readonly Component<Context, Joining>[] = [
  consul,
  postgresql,
  pooler,
  virtualIp,
  command,
  files,
  tasks,
  logs,
  rabbitmq,
  operatorServices,
  search,
]
