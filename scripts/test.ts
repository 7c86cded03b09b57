/**
 * `npm test`: finds the test files, starts one throw-away PostgreSQL for all of them, runs `node --test`, and leaves nothing behind.
 *
 *   npm test                                   everything that needs nothing but Node
 *   npm test -- --kafka --browser …            also what needs a Kafka, a browser, a PgBouncer (--pgbouncer), an installation
 *                                              (--install), or the machine for itself for minutes (--load)
 *   npm test -- src/platform/bus follow-an     only files whose path contains one of these
 *   npm test -- --test-name-pattern=lease      options with `--test…` go to node (write them with `=`)
 */
import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readProcessInput } from '../src/platform/config/process-input.ts';
import { startTestServer, TEST_SERVER_VARIABLE, whyNoTestServer } from '../test/support/postgres-server.ts';

/** Suffixes that need something which a plain checkout does not bring; each has a flag of its name. */
const optionalSuffixes = ['kafka', 'pgbouncer', 'load', 'browser', 'install'];

/** Two at least: test files mostly wait for something, and one that hangs should not hold up all others. */
const concurrencyMin = 2;

/** Of a test or a suite, several times what the longest takes on a busy machine: one that hangs is named, and cleans up behind itself. */
const testMsMax = 600_000;

const { env, args } = readProcessInput();
const root = dirname(dirname(fileURLToPath(import.meta.url)));
process.exitCode = await runTests();

async function runTests(): Promise<number> {
  const nodeOptions = args.filter((argument) => argument.startsWith('--test'));
  const flags = args.filter((argument) => argument.startsWith('--') && !argument.startsWith('--test'));
  const filters = args.filter((argument) => !argument.startsWith('-')).map((filter) => filter.replace(/^\.\//, ''));
  const unknown = flags.find((flag) => !optionalSuffixes.includes(flag.slice(2)));
  if (unknown !== undefined) {
    console.error(`unknown option ${unknown}; known: ${optionalSuffixes.map((suffix) => `--${suffix}`).join(', ')}`);
    return 2;
  }
  const noServer = whyNoTestServer(env);
  const leftOut = optionalSuffixes.filter((suffix) => !flags.includes(`--${suffix}`));
  if (noServer !== undefined) leftOut.push('pg');
  const found = findTests(filters);
  const files = found.filter((file) => !leftOut.includes(suffixOf(file)));
  tellLeftOut(found, leftOut, noServer);
  if (files.length === 0) {
    console.error(filters.length === 0 ? 'no test files' : `no test file matches ${filters.join(', ')}`);
    return 1;
  }
  return runWithServer(files, nodeOptions);
}

function findTests(filters: readonly string[]): string[] {
  return globSync('{src,test,bench}/**/*.test.ts', { cwd: root })
    .filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)))
    .sort();
}

/** `pg` of `x.pg.test.ts`; empty for `x.test.ts`. */
function suffixOf(file: string): string {
  return /\.([a-z]+)\.test\.ts$/.exec(file)?.[1] ?? '';
}

function tellLeftOut(found: readonly string[], leftOut: readonly string[], noServer: string | undefined): void {
  const parts = leftOut.flatMap((suffix) => {
    const count = found.filter((file) => suffixOf(file) === suffix).length;
    return count === 0 ? [] : [`*.${suffix}.test.ts (${count} files, ${suffix === 'pg' ? noServer : `--${suffix}`})`];
  });
  if (parts.length > 0) console.log(`left out: ${parts.join('; ')}`);
}

async function runWithServer(files: readonly string[], nodeOptions: readonly string[]): Promise<number> {
  const needsServer =
    env[TEST_SERVER_VARIABLE] === undefined && files.some((file) => /pg|process|fault|kafka|load/.test(suffixOf(file)));
  const interrupted = new AbortController();
  const interrupt = (signal: NodeJS.Signals) => interrupted.abort(signal);
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  // Hundreds of processes load the same modules; what one has compiled halves the start of the next.
  const compiled = await mkdtemp(join(tmpdir(), 'ccx-compiled-'));
  const childEnv = { ...env, NODE_COMPILE_CACHE: compiled };
  const options = ['--test', ...withDefaults(nodeOptions), ...files];
  try {
    if (!needsServer) return await runNode(options, childEnv, interrupted.signal);
    const server = await startTestServer();
    try {
      return await runNode(options, { ...childEnv, [TEST_SERVER_VARIABLE]: server.url }, interrupted.signal);
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
function withDefaults(nodeOptions: readonly string[]): readonly string[] {
  const concurrency = Math.max(concurrencyMin, availableParallelism());
  return [`--test-concurrency=${concurrency}`, `--test-timeout=${testMsMax}`, ...nodeOptions];
}

/** Resolves to the exit code of the tests; 130 or 143 when they were interrupted. */
function runNode(
  nodeArguments: readonly string[],
  childEnv: Readonly<Record<string, string | undefined>>,
  interrupted: AbortSignal,
): Promise<number> {
  return new Promise((resolve, reject) => {
    if (interrupted.aborted) {
      resolve(interruptedCode(interrupted));
      return;
    }
    const child = spawn(process.execPath, nodeArguments, { cwd: root, env: childEnv, stdio: 'inherit' });
    interrupted.addEventListener('abort', () => child.kill('SIGTERM'));
    child.once('error', reject);
    child.once('close', (code) => resolve(interrupted.aborted ? interruptedCode(interrupted) : (code ?? 1)));
  });
}

function interruptedCode(interrupted: AbortSignal): number {
  return interrupted.reason === 'SIGINT' ? 130 : 143;
}
