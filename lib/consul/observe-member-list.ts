import * as v from 'valibot'
import { readText } from '../core/atomic-files.ts'
import { consulPaths } from './manifest.ts'

const list = v.object({ retry_join: v.array(v.string()) })

/** The members' addresses that this machine's Consul looks for at its start; null where the file says nothing. */
export function readMemberList(): string[] | null {
  try {
    return v.parse(list, JSON.parse(readText(consulPaths.memberList) ?? '')).retry_join
  } catch {
    return null
  }
}
