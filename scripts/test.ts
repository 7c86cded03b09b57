/**
 * `npm test`: finds the test files, starts one throw-away PostgreSQL for all of them, runs `node --test`, and leaves nothing behind.
 *
 *   npm test                                   what needs nothing but Node and that PostgreSQL: *.test.ts and *.pg.test.ts
 *   npm run test:all                           every kind of `test/support/test-kinds.ts` that this machine has what it takes for
 *   npm run test:all -- --rest                 without what `npm test` runs, and without what only `npm run nightly` does
 *   npm run test:all -- --without=roles-on     files whose path contains that are left to another run
 *   npm test -- --process --kafka …            also files of these kinds
 *   npm test -- src/platform/bus follow-an     only files whose path contains one of these
 *   npm test -- --test-name-pattern=lease      options with `--test…` go to node (write them with `=`)
 *
 * With CCX_TEST_POSTGRES_BIN=/usr/lib/postgresql/15/bin the PostgreSQL is the one of these programs instead of the embedded one.
 *
 * A kind that this machine has not what it takes for is left out with a line that says so. With CCX_REQUIRE_KAFKA=1 (the kind in capitals),
 * and with CI set for all kinds, that is a failure, so that a build cannot pass by leaving tests out.
 */
import { spawn, spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readProcessInput } from '../src/platform/config/process-input.ts';
import { whyNoGo } from '../test/support/go/go-toolchain.ts';
import { startTestServer, TEST_SERVER_VARIABLE, whyNoTestServer } from '../test/support/postgres-server.ts';
import { systemPostgresPrograms } from '../test/support/system-postgres.ts';
import {
  kindOf,
  kindsThatMay,
  type TestKind,
  testKinds,
  whyNoImages,
  whyNoPrometheus,
} from '../test/support/test-kinds.ts';
import { whyNoManifestCheckers } from './engines/manifest-checkers.ts';
import { pythonSet } from './engines/python-set.ts';
import { missingForOpenBao } from './engines/start-openbao.ts';
import { missingForSeaweedFs } from './engines/start-seaweedfs.ts';
import { missingForVersityGw } from './engines/start-versitygw.ts';
import { missingForKafka } from './kafka/kafka-jars.ts';

/** What a newcomer and every change runs. */
const fastKinds: readonly TestKind[] = ['plain', 'pg'];
/** What `npm run nightly` runs, and `--rest` only where it is named: it takes minutes. */
const nightlyKinds: readonly TestKind[] = ['image'];

/** Of a test or a suite, several times what the longest takes on a busy machine: one that hangs is named, and cleans up behind itself. */
const testMsMax = 600_000;

const usage = `usage: npm test -- [--all | --rest] [--KIND ...] [--without=PART] [--test-OPTION=...] [PART-OF-A-PATH ...]

kinds, by the suffix of a file:
${Object.entries(testKinds)
  .map(([kind, needs]) => `  ${`${kind === 'plain' ? 'x' : `x.${kind}`}.test.ts`.padEnd(20)} ${needs}`)
  .join('\n')}

without --all and --rest: ${fastKinds.join(' and ')}, and the kinds that are named`;

const { env, args } = readProcessInput();
const root = dirname(dirname(fileURLToPath(import.meta.url)));
process.exitCode = await runTests();

async function runTests(): Promise<number> {
  const nodeOptions = args.filter((argument) => argument.startsWith('--test'));
  const flags = args.filter((argument) => argument.startsWith('--') && !argument.startsWith('--test'));
  const filters = args.filter((argument) => !argument.startsWith('-')).map((filter) => filter.replace(/^\.\//, ''));
  if (flags.includes('--help')) {
    console.log(usage);
    return 0;
  }
  const unknown = flags.find(
    (flag) => !/^--(all|rest|without=.+)$/.test(flag) && !Object.hasOwn(testKinds, flag.slice(2)),
  );
  if (unknown !== undefined) {
    console.error(`unknown option ${unknown}\n${usage}`);
    return 2;
  }
  const without = flags.flatMap((flag) => (flag.startsWith('--without=') ? [flag.slice('--without='.length)] : []));
  const found = findTests(filters, without);
  const wanted = chooseKinds(flags);
  const missing = [...wanted].filter((kind) => found.has(kind)).flatMap((kind) => whyMissing(kind) ?? []);
  for (const { kind, why } of missing) console.log(`left out: ${describe(kind, found)}: ${why}`);
  const required = missing.find(({ kind }) => isRequired(kind));
  if (required !== undefined) {
    console.error(`${required.why}, and ${env['CI'] === undefined ? requireVariable(required.kind) : 'CI'} wants it`);
    return 1;
  }
  for (const { kind } of missing) wanted.delete(kind);
  const unasked = [...found.keys()].filter((kind) => !wanted.has(kind) && !missing.some((gone) => gone.kind === kind));
  if (unasked.length > 0) console.log(`not asked for: ${unasked.map((kind) => describe(kind, found)).join(', ')}`);
  const files = [...found].flatMap(([kind, ofKind]) => (wanted.has(kind) ? ofKind : []));
  if (files.length > 0) return runWithServer(files, nodeOptions);
  if (missing.length > 0) return 0;
  const needed = unasked.map((kind) => `--${kind}`).join(' ');
  console.error(
    found.size > 0
      ? `nothing to run without ${needed}`
      : `no test file${filters.length > 0 ? ` matches ${filters.join(', ')}` : ''}`,
  );
  return 1;
}

/** By kind. A suffix that nobody knows is that of an ordinary test with a dot in its name, and fails in `test/tidy.test.ts`. */
function findTests(filters: readonly string[], without: readonly string[]): Map<TestKind, string[]> {
  const files = globSync('{src,test,bench}/**/*.test.ts', { cwd: root })
    .filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)))
    .filter((file) => !without.some((part) => file.includes(part)))
    .sort();
  return Map.groupBy(files, (file) => kindOf(file) ?? 'plain');
}

function chooseKinds(flags: readonly string[]): Set<TestKind> {
  const all = Object.keys(testKinds) as TestKind[];
  if (flags.includes('--rest')) {
    const others = [...fastKinds, ...nightlyKinds];
    return new Set(all.filter((kind) => !others.includes(kind) || flags.includes(`--${kind}`)));
  }
  if (flags.includes('--all')) return new Set(all);
  return new Set(all.filter((kind) => fastKinds.includes(kind) || flags.includes(`--${kind}`)));
}

/** `*.kafka.test.ts (15 files)`. */
function describe(kind: TestKind, found: ReadonlyMap<TestKind, readonly string[]>): string {
  const count = found.get(kind)?.length ?? 0;
  return `*${kind === 'plain' ? '' : `.${kind}`}.test.ts (${count} file${count === 1 ? '' : 's'})`;
}

function whyMissing(kind: TestKind): { readonly kind: TestKind; readonly why: string } | undefined {
  const why = whatIsMissing(kind);
  return why === undefined ? undefined : { kind, why };
}

function whatIsMissing(kind: TestKind): string | undefined {
  if (kind === 'pg') return whyNoTestServer(env);
  if (kind === 'kafka' && env['CCX_TEST_KAFKA'] === undefined) return whyNo('Kafka', missingForKafka());
  if (kind === 's3') {
    return env['CCX_TEST_S3'] === 'versitygw'
      ? whyNo('versitygw', missingForVersityGw())
      : whyNo('SeaweedFS', missingForSeaweedFs());
  }
  if (kind === 'engines') {
    const postgres = systemPostgresPrograms() === undefined ? ['a PostgreSQL of the system'] : [];
    return whyNo('set of engines', [...missingForKafka(), ...missingForSeaweedFs(), ...postgres]);
  }
  if (kind === 'pgbouncer') {
    // Debian puts it where only root looks.
    const PATH = `${env['PATH'] ?? ''}:/usr/sbin:/usr/local/sbin`;
    return spawnSync('pgbouncer', ['--version'], { env: { PATH } }).status === 0 ? undefined : 'no pgbouncer';
  }
  if (kind === 'image') return whyNoImages();
  if (kind === 'manifests') return whyNoManifestCheckers();
  if (kind === 'schemathesis') return pythonSet('schemathesis', 'schemathesis.txt').whyMissing();
  if (kind === 'prometheus') return whyNoPrometheus();
  if (kind === 'vault') return whyNo('OpenBao', missingForOpenBao());
  if (kind === 'site') return spawnSync('npm', ['--version']).status === 0 ? undefined : 'no npm';
  if (kind === 'go') return whyNoGo();
  return kind === 'install' && env['CCX_TEST_INSTALLATION'] === undefined
    ? 'CCX_TEST_INSTALLATION is not set'
    : undefined;
}

function whyNo(engine: string, missing: readonly string[]): string | undefined {
  return missing.length === 0 ? undefined : `no ${engine} can be started here: ${missing.join(' and ')} is missing`;
}

/** An installation is something to be tested, not something that a machine has. */
function isRequired(kind: TestKind): boolean {
  return env[requireVariable(kind)] === '1' || (env['CI'] !== undefined && kind !== 'install');
}

function requireVariable(kind: TestKind): string {
  return `CCX_REQUIRE_${kind.toUpperCase()}`;
}

async function runWithServer(files: readonly string[], nodeOptions: readonly string[]): Promise<number> {
  const users: readonly TestKind[] = kindsThatMay['use PostgreSQL'];
  const needsServer =
    env[TEST_SERVER_VARIABLE] === undefined &&
    whyNoTestServer(env) === undefined &&
    files.some((file) => users.includes(kindOf(file) ?? 'plain'));
  const interrupted = new AbortController();
  const interrupt = (signal: NodeJS.Signals) => interrupted.abort(signal);
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  // Hundreds of processes load the same modules; what one has compiled halves the start of the next.
  const compiled = await mkdtemp(join(tmpdir(), 'ccx-compiled-'));
  const childEnv = { ...env, NODE_COMPILE_CACHE: compiled };
  const run = async (childEnv: NodeJS.ProcessEnv) => {
    // What needs the machine for itself has it behind all others.
    const alone = files.filter((file) => kindOf(file) === 'load');
    const together = files.filter((file) => !alone.includes(file));
    const codes: number[] = [];
    for (const part of [together, ...alone.map((file) => [file])]) {
      if (part.length > 0) codes.push(await runNode(nodeArguments(part, nodeOptions), childEnv, interrupted.signal));
    }
    return Math.max(...codes);
  };
  try {
    if (!needsServer) return await run(childEnv);
    const server = await startTestServer();
    try {
      return await run({ ...childEnv, [TEST_SERVER_VARIABLE]: server.url });
    } finally {
      await server.stop();
    }
  } finally {
    await rm(compiled, { recursive: true, force: true });
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
  }
}

/** What is given on the command line comes last, and counts. */
function nodeArguments(files: readonly string[], nodeOptions: readonly string[]): readonly string[] {
  // Two at least: tests mostly wait for something, and one that hangs should not hold up all others. Fast ones wait even more.
  const cores = Math.max(2, availableParallelism());
  const concurrency = files.every((file) => fastKinds.includes(kindOf(file) ?? 'plain')) ? cores + 1 : cores;
  return ['--test', `--test-concurrency=${concurrency}`, `--test-timeout=${testMsMax}`, ...nodeOptions, ...files];
}

/** Resolves to the exit code of the tests; 130 or 143 when they were interrupted. */
function runNode(
  options: readonly string[],
  childEnv: Readonly<Record<string, string | undefined>>,
  interrupted: AbortSignal,
): Promise<number> {
  return new Promise((resolve, reject) => {
    if (interrupted.aborted) {
      resolve(interruptedCode(interrupted));
      return;
    }
    const child = spawn(process.execPath, options, { cwd: root, env: childEnv, stdio: 'inherit' });
    interrupted.addEventListener('abort', () => child.kill('SIGTERM'));
    child.once('error', reject);
    child.once('close', (code) => resolve(interrupted.aborted ? interruptedCode(interrupted) : (code ?? 1)));
  });
}

function interruptedCode(interrupted: AbortSignal): number {
  return interrupted.reason === 'SIGINT' ? 130 : 143;
}
