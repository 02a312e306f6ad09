/**
 * Import directions between the workspaces. The table is the one in ARCHITECTURE.md; a package that is missing here may
 * import no other package. Cycles between files are refused everywhere.
 * @type {import('dependency-cruiser').IConfiguration}
 */
const MAY_IMPORT = {
  protocol: [],
  graph: [],
  transformer: ['graph'],
  sandbox: [],
  repository: [],
  makers: ['protocol', 'transformer', 'sandbox'],
  gates: ['protocol'],
  history: ['protocol'],
  'best-of-n': ['protocol'],
  ledger: ['protocol'],
  house: ['protocol', 'transformer', 'gates', 'history'],
  cli: [
    'protocol',
    'graph',
    'transformer',
    'sandbox',
    'repository',
    'makers',
    'gates',
    'history',
    'best-of-n',
    'ledger',
    'house',
  ],
};

const directions = Object.entries(MAY_IMPORT).map(([from, allowed]) => ({
  name: `direction-${from}`,
  severity: 'error',
  comment: `packages/${from} may import only: ${allowed.join(', ') || 'no other package'}`,
  from: { path: `^packages/${from}/` },
  to: { path: '^packages/', pathNot: `^packages/(${[from, ...allowed].join('|')})/` },
}));

export default {
  forbidden: [
    ...directions,
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'through-the-front-door',
      severity: 'error',
      comment: 'Another package is imported by its name (its src/index.ts), never by a path into it.',
      from: { path: '^packages/([^/]+)/' },
      to: { path: '^packages/([^/]+)/src/', pathNot: ['^packages/$1/', '^packages/[^/]+/src/index\\.ts$'] },
    },
    {
      name: 'known-package',
      severity: 'error',
      comment: 'A new package gets a row in this table and in ARCHITECTURE.md.',
      from: { path: '^packages/', pathNot: `^packages/(${Object.keys(MAY_IMPORT).join('|')})/` },
      to: {},
    },
    {
      name: 'resolvable',
      severity: 'error',
      comment: 'A module that is types alone (@types/sarif) has nothing to resolve to.',
      from: {},
      to: { couldNotResolve: true, pathNot: '^sarif$' },
    },
  ],
  options: {
    parser: 'swc',
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(__fixtures__|\\.test\\.ts$)' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      extensions: ['.ts', '.js'],
    },
  },
};
