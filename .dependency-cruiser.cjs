// Who may import whom (the design's import rules). Tests, benchmarks and dev tools may reach everywhere.

const test = '\\.(test|contract)\\.ts$|/testing\\.ts$';
const from = (path) => ({ path, pathNot: test });

module.exports = {
  forbidden: [
    {
      name: 'shared-is-pure',
      comment: 'shared/ runs unchanged in workerd and Node: web standards, zod, drizzle-orm and uuid only.',
      severity: 'error',
      from: from('^shared/'),
      to: { pathNot: ['^shared/', '^drizzle/schema/', 'node_modules/(zod|drizzle-orm|uuid)/'] },
    },
    {
      name: 'edge-has-no-node',
      comment: 'Workers use web-standard APIs; what needs a socket lives in a container.',
      severity: 'error',
      from: from('^workers/'),
      to: {
        pathNot: [
          '^(shared|workers)/',
          'node_modules/(hono|zod|@hono/zod-validator|@neondatabase/serverless|@upstash/[a-z]+|jose|openid-client|oauth4webapi|otpauth|@noble/hashes)/',
        ],
      },
    },
    {
      name: 'containers-stay-on-their-side',
      severity: 'error',
      from: { path: '^containers/', pathNot: [test, '^containers/edge/'] },
      to: { path: '^(workers|dev|test|bench|console)/' },
    },
    {
      name: 'the-edge-on-node-serves-workers',
      comment: 'Of the Workers it knows the apps and their settings, and nothing inside them.',
      severity: 'error',
      from: from('^containers/edge/'),
      to: { path: '^(workers|dev|test|bench|console)/', pathNot: '^workers/[^/]+/(main|env)\\.ts$' },
    },
    {
      name: 'rooms-do-not-visit-each-other',
      severity: 'error',
      from: { path: '^(workers|containers)/([^/]+)/', pathNot: test },
      to: { path: '^$1/[^/]+/', pathNot: '^$1/$2/' },
    },
    {
      name: 'only-stores-know-tables',
      comment: 'A slice writes its own tables through its store.ts; screens read through shared/read/.',
      severity: 'error',
      from: { path: '^(shared|workers|containers)/', pathNot: [test, '/store\\.ts$', '^shared/read/'] },
      to: { path: '^drizzle/schema/' },
    },
    {
      name: 'a-store-is-private-to-its-slice',
      severity: 'error',
      from: { path: '^(?:shared/([^/]+)|workers|containers)/', pathNot: test },
      to: { path: '^shared/[^/]+/[a-z-]*store\\.ts$', pathNot: '^shared/$1/[a-z-]*store\\.ts$' },
    },
    {
      name: 'one-file-knows-kafkajs',
      severity: 'error',
      from: {
        path: '^(shared|workers|containers)/',
        pathNot: [test, '^containers/kafka\\.ts$'],
      },
      to: { path: 'node_modules/kafkajs/' },
    },
    {
      name: 'one-file-a-side-knows-grpc',
      comment: 'Generated types know it, too.',
      severity: 'error',
      from: {
        path: '^(shared|workers|containers)/',
        pathNot: [test, '^containers/(ledger/server|ledger-client)\\.ts$'],
      },
      to: { path: 'node_modules/(@grpc|grpc-health-check)/' },
    },
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'nothing-imports-tests',
      severity: 'error',
      from: { pathNot: `${test}|^(test|bench|dev)/` },
      to: { path: test },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
