import { RECEIVER_PORT } from './manifest.ts'

/** What the unit of the receiver is told. @param address of this machine. */
export const renderReceiver = (address: string): string => `LISTEN=${address}:${RECEIVER_PORT}\n`

/** What the unit that sends to a member is told. @param address of that member. */
export const renderUpload = (address: string): string => `URL=http://${address}:${RECEIVER_PORT}\n`

/**
 * A state file of systemd-journal-upload that begins after a cursor: without one, it sends the whole journal. As it writes it
 * itself (save_state in src/journal-remote/journal-upload.c of systemd 252 and 257).
 */
export const renderState = (cursor: string): string =>
  `# This is private data. Do not parse.\nLAST_CURSOR=${cursor}\n`
