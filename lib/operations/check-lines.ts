import * as consul from '../consul/check.ts'
import * as files from '../files/check.ts'
import * as pooler from '../pooler/check.ts'
import * as postgresql from '../postgresql/check.ts'
import * as virtualIp from '../virtual-ip/check.ts'
import { daemons } from './daemons-check.ts'

export const checkLines = [
  ...postgresql.lines,
  ...virtualIp.lines,
  ...consul.lines,
  ...pooler.lines,
  ...files.lines,
  daemons,
]
