/**
 * Which file may import which. A component is a folder of lib/; what a file may do is in its name: decide*.ts decides and
 * config*.ts and render*.ts render text, all without reading or changing anything. Broken on purpose in test/unit/imports.test.ts.
 */
const PURE = '^lib/[^/]+/(decide|config|render)[^/]*\\.ts$'

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    {
      name: 'pure-files-do-nothing',
      comment: 'a decide or config file imports no module of Node.js that reads or changes anything',
      severity: 'error',
      from: { path: PURE },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?(util|crypto)$' },
    },
    {
      name: 'pure-files-use-no-client',
      comment: 'a decide or config file imports no client of a daemon and no program runner',
      severity: 'error',
      from: { path: PURE },
      to: {
        path: '(^|/)node_modules/(pg|consul|execa|zx)/|^lib/[^/]+/client\\.ts$',
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'pure-files-import-pure-files',
      comment: 'a decide or config file imports nothing that observes or applies',
      severity: 'error',
      from: { path: PURE },
      to: { path: '^lib/[^/]+/(observe|apply)[^/]*\\.ts$', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'core-imports-no-component',
      severity: 'error',
      from: { path: '^lib/core/' },
      to: { path: '^lib/(?!core/)' },
    },
    {
      name: 'consul-imports-core-only',
      severity: 'error',
      from: { path: '^lib/consul/' },
      to: { path: '^lib/(?!core/|consul/)' },
    },
    {
      name: 'components-do-not-know-who-uses-them',
      severity: 'error',
      from: { path: '^lib/(?!core/|consul/|operations/|status/)[^/]+/' },
      to: { path: '^lib/(operations|status)/' },
    },
    {
      name: 'status-does-not-know-operations',
      severity: 'error',
      from: { path: '^lib/status/' },
      to: { path: '^lib/operations/' },
    },
    {
      name: 'lib-does-not-know-handlers',
      severity: 'error',
      from: { path: '^lib/' },
      to: { path: '^(handlers|scripts|packaging|test)/' },
    },
    {
      name: 'handlers-do-not-import-handlers',
      severity: 'error',
      from: { path: '^handlers/' },
      to: { path: '^(handlers|scripts)/' },
    },
    {
      name: 'no-circle-between-components',
      severity: 'error',
      scope: 'folder',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-circle',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['dynamic-import'] } },
    },
    { name: 'everything-is-found', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    parser: 'swc',
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    moduleSystems: ['es6'],
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['source', 'import', 'node'] },
  },
}
