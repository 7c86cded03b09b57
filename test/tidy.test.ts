/**
 * What a machine holds about the repository itself: the import graph, dead files, links of the documentation, generated pages and
 * the diagram against the topology. Everything else about style is for the reader.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { test } from 'node:test';
import { generatedPages } from '../scripts/docs/generated-pages.ts';
import { isTestFile, listFiles, readSourceTree, repositoryRoot } from '../scripts/docs/source-tree.ts';
import { HOPS } from '../src/topology.ts';
import { kindOf, kindsThatMay, type TestKind } from './support/test-kinds.ts';

const tree = readSourceTree();
const production = [...tree.values()].filter((file) => file.path.startsWith('src/') && !isTestFile(file.path));

/** May a file of this layer import that file? The table of docs/architecture.md, "Import graph". */
function mayImport(from: string, to: string): boolean {
  const [fromLayer, fromName] = layerOf(from);
  const [toLayer, toName] = layerOf(to);
  switch (fromLayer) {
    case 'encoding':
      return toLayer === 'encoding';
    case 'contracts':
      return toLayer === 'encoding' || toLayer === 'contracts';
    case 'rules':
    case 'platform':
      return toLayer === 'encoding' || toLayer === 'contracts' || toLayer === fromLayer;
    case 'services':
      return (
        toLayer === 'encoding' ||
        toLayer === 'contracts' ||
        toLayer === 'platform' ||
        toLayer === 'rules' ||
        (toLayer === 'services' && toName === fromName)
      );
    case 'topology':
      return toLayer === 'contracts';
    case 'cli':
    case 'bin':
    case 'all-in-one':
    case 'tools':
      if (toLayer === 'services') {
        const entries =
          fromLayer === 'bin' ? /\/(service|drop-in\/program)\.ts$/ : /^src\/services\/[^/]+\/(service|commands)\.ts$/;
        return entries.test(to);
      }
      return toLayer !== 'bin' && (toLayer !== 'cli' || fromLayer === 'bin');
    default:
      return false;
  }
}

function layerOf(path: string): [string, string] {
  const parts = path.split('/');
  return [(parts[1] ?? '').replace(/\.ts$/, ''), parts[2] ?? ''];
}

test('source files import only what their layer may see', () => {
  const wrong: string[] = [];
  for (const file of production) {
    for (const target of file.imports) {
      if (!tree.has(target)) wrong.push(`${file.path} imports ${target}, which does not exist`);
      else if (!target.startsWith('src/') || isTestFile(target))
        wrong.push(`${file.path} imports ${target}, which is for tests or tools`);
      else if (!mayImport(file.path, target)) wrong.push(`${file.path} must not import ${target}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('decisions import encodings, contracts and each other only', () => {
  const wrong = production
    .filter((file) => file.path.includes('/decide/'))
    .flatMap((file) =>
      file.imports
        .filter((target) => !/^src\/(encoding|contracts)\//.test(target) && dirname(target) !== dirname(file.path))
        .map((target) => `${file.path} imports ${target}`),
    );
  assert.deepEqual(wrong, []);
});

test('what runs needs only packages that an installation without development packages has', () => {
  const { dependencies } = JSON.parse(readFileSync(join(repositoryRoot, 'package.json'), 'utf8')) as {
    readonly dependencies: Readonly<Record<string, string>>;
  };
  const needed = production.flatMap((file) => file.packages.map((name) => ({ name, path: file.path })));
  const missing = needed.filter(({ name }) => !Object.hasOwn(dependencies, name));
  assert.deepEqual(
    missing.map(({ name, path }) => `${path} needs ${name}, which is not in dependencies`),
    [],
  );
  const unused = Object.keys(dependencies).filter((name) => !needed.some((need) => need.name === name));
  assert.deepEqual(unused, [], 'packages that nothing below src needs');
});

/** What a file loads at once: itself, what it imports, and so on, without what is imported later. */
function loadedBy(path: string, seen = new Set<string>()): ReadonlySet<string> {
  if (seen.has(path)) return seen;
  seen.add(path);
  for (const target of tree.get(path)?.loads ?? []) loadedBy(target, seen);
  return seen;
}

function whoLoads(
  entries: readonly string[],
  isUnwanted: (file: { path: string; packages: readonly string[] }) => boolean,
) {
  return entries.flatMap((entry) =>
    [...loadedBy(entry)].filter((path) => isUnwanted(tree.get(path)!)).map((path) => `${entry} loads ${path}`),
  );
}

test('an adapter of the bus or of S3 is loaded only by whoever opens it', () => {
  const adapters = [
    'src/platform/bus/kafka/kafka-bus.ts',
    'src/platform/bus/postgres/postgres-bus.ts',
    'src/platform/objects/s3/s3-store.ts',
  ];
  const packages = ['@platformatic/kafka', 'pg-copy-streams', '@aws-sdk/client-s3', '@aws-sdk/s3-request-presigner'];
  const entries = production
    .map((file) => file.path)
    .filter((path) => /^src\/(cli|bin\/[^/]+|.*\/(commands|program))\.ts$/.test(path));
  assert.ok(entries.length > 8, 'the entries are found');
  // A run with nothing to send is a cron job's usual one.
  const mayBeIdle = [
    'src/platform/bus/kafka/late-kafka-bus.ts',
    'src/services/notification-service/service.ts',
    'src/services/notification-service/drop-in/run-instant-reports.ts',
  ];
  const wrong = whoLoads(
    [...entries, ...mayBeIdle],
    (file) => adapters.includes(file.path) || file.packages.some((name) => packages.includes(name)),
  );
  assert.deepEqual(wrong, []);
});

test('help and version load no service, and no package that is slow to load', () => {
  const slow = ['@opentelemetry/api', '@platformatic/kafka', 'fastify', 'pg', 'prom-client', 'zod'];
  const isSlow = (file: { readonly path: string; readonly packages: readonly string[] }) =>
    /\/services\/[^/]+\/service\.ts$/.test(file.path) || file.packages.some((name) => slow.includes(name));
  const programs = production
    .map((file) => file.path)
    .filter((path) => /\/drop-in\/(program|operations)\.ts$/.test(path));
  assert.equal(programs.length, 4);
  const roles = ['content-service', 'data-pipeline', 'notification-service', 'notification-writer'];
  const entries = ['src/cli.ts', ...programs, ...roles.map((role) => `src/services/${role}/commands.ts`)];
  assert.deepEqual(whoLoads(entries, isSlow), []);
  const starts = whoLoads(
    programs.filter((path) => path.endsWith('program.ts')),
    (file) => file.packages.length > 0,
  );
  assert.deepEqual(starts, [], 'a drop-in program that only answers -help');
});

test('imports have no cycles', () => {
  const cycles: string[] = [];
  const state = new Map<string, 'open' | 'closed'>();
  const visit = (path: string, trail: readonly string[]) => {
    const known = state.get(path);
    if (known === 'closed') return;
    if (known === 'open') {
      cycles.push([...trail.slice(trail.indexOf(path)), path].join(' → '));
      return;
    }
    state.set(path, 'open');
    for (const target of tree.get(path)?.imports ?? []) visit(target, [...trail, path]);
    state.set(path, 'closed');
  };
  for (const file of tree.values()) visit(file.path, []);
  assert.deepEqual(cycles, []);
});

/** A folder of a service, or a file beside its folders, is one room; a room stands a floor above the highest that it imports. */
test('rooms of a service do not go round in a circle, and the largest service has at most eight floors', () => {
  const roomOf = (path: string) => path.split('/').slice(0, 4).join('/');
  const floors = new Map<string, number>();
  const open = new Set<string>();
  const floorOf = (room: string): number => {
    const known = floors.get(room);
    if (known !== undefined) return known;
    assert.ok(!open.has(room), `${[...open, room].join(' → ')}: rooms go round in a circle`);
    open.add(room);
    const service = room.split('/').slice(0, 3).join('/');
    const below = production
      .filter(({ path }) => roomOf(path) === room)
      .flatMap(({ imports }) => imports.filter((target) => target.startsWith(`${service}/`)).map(roomOf))
      .filter((target) => target !== room);
    const floor = 1 + Math.max(0, ...[...new Set(below)].map(floorOf));
    open.delete(room);
    floors.set(room, floor);
    return floor;
  };
  const rooms = new Set(production.map(({ path }) => roomOf(path)).filter((room) => room.startsWith('src/services/')));
  const floorsOf = [...rooms].map((room) => ({ room, floor: floorOf(room) }));
  const tooHigh = floorsOf.filter(({ room, floor }) => room.includes('/notification-service/') && floor > 8);
  assert.deepEqual(tooHigh, []);
});

test('no file only passes on what others export', () => {
  const barrels = production.filter((file) => /^export (\*|\{[^}]*\}) from /m.test(file.text)).map((file) => file.path);
  assert.deepEqual(barrels, []);
});

test('every source file is used by something other than its own test', () => {
  const used = new Set<string>();
  for (const file of tree.values()) {
    for (const target of file.imports) {
      const own = file.path.replace(/(\.[a-z]+)?\.test\.ts$/, '.ts') === target;
      if (!own) used.add(target);
    }
  }
  const entryPoints = /^src\/(cli|bin\/[^/]+)\.ts$/;
  const dead = production
    .filter((file) => !used.has(file.path) && !entryPoints.test(file.path) && !file.path.endsWith('.d.ts'))
    .map((file) => file.path);
  assert.deepEqual(dead, []);
});

test('nothing is exported that nobody imports', () => {
  const wordsOf = new Map([...tree.values()].map((file) => [file.path, new Set(file.text.match(/[A-Za-z_$][\w$]*/g))]));
  const importers = new Map<string, string[]>();
  for (const file of tree.values())
    for (const target of file.imports) importers.set(target, [...(importers.get(target) ?? []), file.path]);
  // Children of the runner pool are loaded by their address, and what they export is part of that contract.
  const contract = new Set(['runJob']);
  const unused = production.flatMap((file) =>
    [
      ...file.text.matchAll(
        /^export (?:async )?(?:abstract )?(?:function\*?|const|class|interface|type) ([A-Za-z_$][\w$]*)/gm,
      ),
    ]
      .map(([, name = '']) => name)
      .filter((name) => !contract.has(name))
      .filter((name) => !(importers.get(file.path) ?? []).some((path) => wordsOf.get(path)!.has(name)))
      .map((name) => `${file.path} exports ${name}`),
  );
  assert.deepEqual(unused, []);
});

test('every source file says at its head what it is for', () => {
  const silent = [...tree.values()].filter((file) => file.header.length < 20).map((file) => file.path);
  assert.deepEqual(silent, []);
});

test('time, randomness, environment and process end are touched only where they belong', () => {
  const rules: [RegExp, RegExp][] = [
    [/\bDate\.now\(|new Date\(\)|Math\.random\(|\brandomUUID\(|\bset(Timeout|Interval)\(/, /^src\/platform\/clock\//],
    [/process\.(env|argv)\b/, /^src\/platform\/config\/process-input\.ts$/],
    [/process\.exit\(/, /^$/],
  ];
  const wrong: string[] = [];
  for (const file of production) {
    const code = file.text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/[^\n]*/g, '$1');
    for (const [pattern, allowed] of rules) {
      const match = allowed.test(file.path) ? null : pattern.exec(code);
      if (match !== null) wrong.push(`${file.path}: ${match[0]}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('every step of a service appears in its pipeline under the name of its file', () => {
  const wrong: string[] = [];
  for (const file of production.filter((candidate) =>
    /^src\/services\/[^/]+\/steps\/[^/]+\.ts$/.test(candidate.path),
  )) {
    const [, , service = '', , name = ''] = file.path.split('/');
    const exported = name.replace(/\.ts$/, '').replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
    const pipeline = tree.get(`src/services/${service}/pipeline.ts`);
    if (!new RegExp(`export (async )?(function\\*? |const )${exported}\\b`).test(file.text))
      wrong.push(`${file.path} exports no ${exported}`);
    if (pipeline?.imports.includes(file.path) !== true) wrong.push(`${file.path} is not in its service's pipeline.ts`);
  }
  assert.deepEqual(wrong, []);
});

test('templates, which are code, are compiled only where the runner pool watches', () => {
  const compiler = 'src/rules/content/compile-template.ts';
  const importers = production.filter((file) => file.imports.includes(compiler));
  assert.ok(importers.length > 0);
  // What renders is given the compiler, so that whoever wants one has to import this file.
  const wrong = importers.filter(
    ({ path, text }) => path !== 'src/rules/content/render-report.ts' && !/export const runJob\b/.test(text),
  );
  assert.deepEqual(
    wrong.map(({ path }) => path),
    [],
  );
  // A child's module runs in the children alone: nobody else imports more of it than types.
  const children = importers.filter(({ text }) => /export const runJob\b/.test(text)).map(({ path }) => path);
  for (const { path, text } of production) {
    for (const [, imported = ''] of text.matchAll(/^import (?!type\b).*? from '([^']+)';$/gms)) {
      assert.ok(!children.includes(join(dirname(path), imported)), `${path} imports ${imported}`);
    }
  }
});

/** By what a test uses: the helpers that bring it. */
const helpers: Readonly<Record<keyof typeof kindsThatMay, readonly string[]>> = {
  'use PostgreSQL': ['test/support/postgres.ts'],
  'start programs': ['test/support/ccx-process.ts', 'test/support/drop-in-program.ts'],
  'use Kafka': ['test/support/kafka.ts'],
  'use S3': ['test/support/s3.ts'],
  'use PgBouncer': ['test/support/pgbouncer.ts'],
  'build images': ['test/support/image-builder.ts'],
  'check manifests': ['test/support/manifest-checkers.ts'],
  'use Prometheus': ['test/support/prometheus.ts'],
  'use Schemathesis': ['test/support/schemathesis.ts'],
  'use Vault': ['test/support/openbao.ts'],
  'use Go': ['test/support/go/go-program.ts'],
};

/** What starts processes without that helper: a server of the test's own, our own rule runners, or anything at all. */
const startsProcesses = /\bstartEmbeddedPostgres\b|runner-pool|from 'node:child_process'|support\/installation\.ts'/;

/** The test's imports, and those of helpers and suites that it shares; what the product imports is not its choice. */
function testImports(path: string, seen = new Set<string>()): ReadonlySet<string> {
  for (const target of tree.get(path)?.imports ?? []) {
    if (seen.has(target)) continue;
    seen.add(target);
    if (/^(test|bench)\/|\.contract\.ts$/.test(target)) testImports(target, seen);
  }
  return seen;
}

test('a test says by its suffix what it needs, and needs what it says', () => {
  const wrong: string[] = [];
  for (const { path, text } of [...tree.values()].filter((file) => file.path.endsWith('.test.ts'))) {
    const kind = kindOf(path);
    if (kind === undefined) {
      wrong.push(`${path} has a suffix that test/support/test-kinds.ts does not know`);
      continue;
    }
    const imports = testImports(path);
    for (const [use, modules] of Object.entries(helpers)) {
      const kinds: readonly TestKind[] = kindsThatMay[use as keyof typeof kindsThatMay];
      const does = modules.some((module) => imports.has(module));
      if (does && !kinds.includes(kind)) wrong.push(`${path} may not ${use}: it is none of ${kinds.join(', ')}`);
      if (!does && kinds[0] === kind && !(kind === 'process' && startsProcesses.test(text)))
        wrong.push(`${path} does not ${use}`);
    }
    if (/\bstartEmbeddedPostgres\b/.test(text) && (kind === 'plain' || kind === 'pg'))
      wrong.push(`${path} starts a server of its own`);
  }
  assert.deepEqual(wrong, []);
});

test('links of the documentation lead somewhere', () => {
  const broken: string[] = [];
  const pages = listFiles('.', (path) => path.endsWith('.md') && !path.includes('/data/'));
  for (const page of pages.filter((path) => !path.startsWith('src/rules/catalog/'))) {
    const text = readFileSync(join(repositoryRoot, page), 'utf8')
      .replace(/```[\s\S]*?```/g, '')
      .replace(/`[^`\n]*`/g, '');
    for (const match of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      const target = match[1]!;
      if (/^([a-z]+:|#)/.test(target)) continue;
      if (!existsSync(resolve(repositoryRoot, dirname(page), target.replace(/#.*$/, ''))))
        broken.push(`${page}: ${target}`);
    }
  }
  assert.deepEqual(broken, []);
});

test('each defect of the reference that a page calls gone has a test that bears its number, and each number is listed', () => {
  const page = 'docs/compatibility.md';
  const rows = readFileSync(join(repositoryRoot, page), 'utf8').matchAll(/^\| ((?:\w+ Q|D)\d+) \|.*\| ([^|]*) \|$/gm);
  const listed = [...rows].flatMap(([, number = '', tests = '']) =>
    [...tests.matchAll(/\]\(([^)]+)\)/g)].map(([, target = '']) => `${number}: ${join(dirname(page), target)}`),
  );
  const borne = [...tree.values()]
    .filter(({ path }) => path.startsWith('test/drop-in/') || path.endsWith('.test.ts'))
    .flatMap(({ path, text }) =>
      [...text.matchAll(/(?:\btest\(|defect: |^ *)["'`]((?:(?:\w+ Q|D)\d+(?:, |\b))+)/gm)]
        .flatMap(([, numbers = '']) => numbers.split(', '))
        .filter((number) => number !== '')
        .map((number) => `${number}: ${path}`),
    );
  const ofConsumers = Array.from({ length: 15 }, (_, index) => `D${index + 1}`);
  assert.deepEqual(
    ofConsumers.filter((number) => !listed.some((entry) => entry.startsWith(`${number}: `))),
    [],
    'of consumers.md 4.5',
  );
  assert.deepEqual([...new Set(listed)].sort(), [...new Set(borne)].sort());
});

for (const page of generatedPages) {
  test(`${page.path} says what the code says`, () => {
    const present = readFileSync(join(repositoryRoot, page.path), 'utf8');
    assert.equal(present, page.render(), `${page.path} is stale: npm run generate`);
  });
}

test('the topology has twelve hops behind the cluster, and each hop has its folder', () => {
  assert.deepEqual(
    HOPS.map((hop) => hop.number),
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
  );
  assert.deepEqual(
    HOPS.filter((hop) => !existsSync(join(repositoryRoot, hop.folder))).map((hop) => hop.folder),
    [],
  );
});
