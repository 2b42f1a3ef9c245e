import { readable } from '../consul/check-documents.ts'
import type { Context } from '../consul/handler.ts'
import type { CheckLine } from '../core/component.ts'
import { readFailure } from '../core/failure.ts'
import { queueUnit } from '../core/systemd.ts'
import { unknownOnFailure } from '../core/unknown.ts'
import { type DatabaseCheckPlan, decideDatabaseCheck, decideRejoinCheck } from './decide-check.ts'
import type { Replication } from './decide-follow.ts'
import { postgresqlKeys, postgresqlPaths, postgresqlUnits } from './manifest.ts'
import { observeReplication } from './observe-follow.ts'

const rejoin: CheckLine<Context, Parameters<typeof decideRejoinCheck>[0]> = {
  name: 'rejoin',
  observe: async () => ({ failure: readFailure(postgresqlPaths.rejoinFailed) }),
  decide: decideRejoinCheck,
  apply: async () => {},
}

const database: CheckLine<Context, Replication, DatabaseCheckPlan> = {
  name: 'database',
  observe: (context) => observeReplication(context, 'understudy_monitor', unknownOnFailure),
  decide: decideDatabaseCheck,
  async apply({ start }) {
    for (const repair of start) await queueUnit('start', postgresqlUnits[repair])
  },
}

/** This component's lines of the periodic check. A failed rejoin first: of several lines the status shows only the first. */
export const lines = [rejoin, database, readable('databases', postgresqlKeys.nodes)]
