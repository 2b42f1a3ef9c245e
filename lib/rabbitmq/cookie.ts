import type { Context } from '../consul/handler.ts'
import { replaceFile } from '../core/atomic-files.ts'
import { EXIT, UnderstudyError } from '../core/errors.ts'
import { orUnknown } from '../core/unknown.ts'
import type { BrokerGatePlan } from './decide-gate.ts'
import { rabbitmqKeys, rabbitmqPaths } from './manifest.ts'

/** The file may be lost or be another one: without the cookie no broker talks to this one. */
export async function keepCookie({ consul }: Context): Promise<void> {
  const secrets = await consul.get(rabbitmqKeys.secrets)
  if (!secrets) throw new UnderstudyError(EXIT.data, "Consul's key rabbitmq/secrets is missing")
  replaceFile(rabbitmqPaths.cookie, secrets.value.cookie, { mode: 0o400 })
}

/** Gives a clustered broker that may start the cookie of its cluster. Where Consul does not answer, it has the one that it had. */
export async function keepCookieFor(plan: BrokerGatePlan, context: Context): Promise<void> {
  if (plan.do === 'start' && context.settings.rabbitmq === 'clustered') await orUnknown(keepCookie(context))
}
