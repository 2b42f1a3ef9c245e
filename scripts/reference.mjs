#!/usr/bin/env node
// Renews the generated parts of docs/reference/ from the manifests and the source; a test compares them.
import { readFileSync, writeFileSync } from 'node:fs'
import { generatedPages } from './generated-pages.mjs'

for (const [path, renew] of Object.entries(generatedPages)) {
  const page = new URL(`../${path}`, import.meta.url)
  writeFileSync(page, renew(readFileSync(page, 'utf8')))
}
