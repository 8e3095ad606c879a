/** What each room of src may import from the rest of src. This table is the architecture; the sentence says why. */
const rooms = {
  model: [[], 'Nouns and pure decisions stand alone, so that every stage can share them.'],
  store: [['model'], 'SQL knows the nouns, not who asks.'],
  match: [['model', 'handlers.ts'], 'Matching is pure: no I/O of its own.'],
  capture: [['model', 'store'], 'Stages never import each other; the engine joins them.'],
  execute: [['model', 'store', 'handlers.ts'], 'Stages never import each other; the engine joins them.'],
  deliver: [['model', 'store', 'handlers.ts'], 'Stages never import each other; the engine joins them.'],
  log: [['model', 'store'], 'What happened is told from what is stored.'],
  engine: [
    ['model', 'store', 'match', 'execute', 'deliver', 'log', 'handlers.ts'],
    'The one place that joins the stages; it does not know who drives it.',
  ],
  service: [
    ['model', 'store', 'match', 'execute', 'deliver', 'log', 'engine', 'handlers.ts'],
    'What administrators do; loops and doors are not its business.',
  ],
  runtime: [
    ['model', 'store', 'capture', 'engine', 'service', 'log', 'config.ts'],
    'Loops drive the engine; they do not decide.',
  ],
  http: [['model', 'service', 'runtime'], 'A thin door.'],
  testing: [['runtime'], 'Peers for tests and the demo know nothing of the engine.'],
  cli: [
    ['model', 'service', 'runtime', 'http', 'capture', 'store', 'log', 'testing', 'tocsin.ts', 'config.ts'],
    'A thin door.',
  ],
};

const everywhere = ['errors.ts', 'clock.ts'];
const pattern = (names) => `^src/(${names.map((name) => name.replace('.ts', '[.]ts')).join('|')})(/|$)`;

const edges = Object.entries(rooms).map(([room, [allowed, why]]) => ({
  name: `${room}-imports-only`,
  severity: 'error',
  comment: `src/${room} may import: ${[room, ...everywhere, ...allowed].join(', ')}. ${why}`,
  from: { path: `^src/${room}/` },
  to: { path: '^src/', pathNot: pattern([room, ...everywhere, ...allowed]) },
}));

const only = (name, packages, homes, comment) => ({
  name,
  severity: 'error',
  comment,
  from: { path: '^src/', pathNot: homes },
  to: { path: `node_modules/(${packages})/`, dependencyTypesNot: ['type-only'] },
});

export default {
  forbidden: [
    ...edges,
    only('sql-lives-in-store', 'drizzle-orm|pg', '^src/store/', 'Only src/store talks to PostgreSQL.'),
    only('listen-lives-in-capture', 'pg-listen', '^src/capture/', 'Only the wake-up listener listens.'),
    only(
      'ways-out-live-in-transports',
      'nodemailer|undici',
      '^src/deliver/transports/',
      'Only transports leave the system.',
    ),
    only(
      'templates-live-in-render',
      'nunjucks',
      '^src/deliver/render/',
      'Tenant templates pass the allow-list or do not run.',
    ),
    {
      name: 'handlers-are-given-what-they-need',
      severity: 'error',
      comment: 'A handler opens nothing itself, so it is tested without a database or network.',
      from: { path: '^src/(match/conditions|execute/recipients|deliver/actions)/' },
      to: { path: '^src/store/' },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      comment: 'A cycle has no first file to read.',
      from: {},
      to: { circular: true },
    },
    {
      name: 'nothing-imports-the-index',
      severity: 'error',
      comment: 'index.ts is for users; inside src a file is imported where it is.',
      from: { path: '^src/', pathNot: '^src/(cli/|testing[.]ts)' },
      to: { path: '^src/index[.]ts$' },
    },
    {
      name: 'declared-dependencies-only',
      severity: 'error',
      comment: 'Not in dependencies: a user of the package would not have it.',
      from: { path: '^src/', pathNot: '^src/(runtime/embedded-postgres|testing/)' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'unknown'] },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
  },
};
