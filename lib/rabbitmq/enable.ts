import type { Consul } from '../consul/client.ts'
import { consulKeys, type RabbitmqMode } from '../consul/manifest.ts'
import { EXIT, UnderstudyError } from '../core/errors.ts'

/** Nobody else changes the settings of a cluster but the same command on another member. */
const ATTEMPTS = 5

/** Makes RabbitMQ a part of the cluster. @throws where it is another one already, or the settings cannot be changed. */
export async function enableRabbitmq(consul: Consul, mode: RabbitmqMode): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const entry = await consul.get(consulKeys.config)
    if (entry === null) throw new UnderstudyError(EXIT.data, "Consul's key config is missing")
    const { rabbitmq } = entry.value
    if (rabbitmq === mode) return
    if (rabbitmq !== undefined)
      throw new UnderstudyError(
        EXIT.config,
        `RabbitMQ is ${rabbitmq} in this cluster, and its queues cannot become ${mode} ones`,
      )
    if (await consul.compareAndSet(consulKeys.config, { ...entry.value, rabbitmq: mode }, entry)) return
  }
  throw new UnderstudyError(EXIT.retry, 'other machines kept changing the settings of the cluster; try again')
}
