/**
 * A throw-away PostgreSQL for tests: one per test run (`scripts/test.ts`) or one per test file that is run alone. Nothing is left behind
 * even when the run is killed: a watchdog process outlives it, stops the server and removes the folder.
 */
import { spawn } from 'node:child_process';
import { chmod, mkdtemp, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSystemClock } from '../../src/platform/clock/clock.ts';
import { readProcessInput } from '../../src/platform/config/process-input.ts';
import { isEmbeddedPostgresSupported } from '../../src/platform/database/embedded/binaries.ts';
import { startEmbeddedPostgres } from '../../src/platform/database/embedded/start-embedded-postgres.ts';
import { serverVersion, startSystemPostgres } from './system-postgres.ts';

/** Folder of the programs of another PostgreSQL than the embedded one, such as `/usr/lib/postgresql/15/bin`, which the run then uses. */
const PROGRAMS_VARIABLE = 'CCX_TEST_POSTGRES_BIN';

/** Set by the test run for its test files; may also name a server of your own, whose user may create databases. */
export const TEST_SERVER_VARIABLE = 'CCX_TEST_POSTGRES_URL';

export interface TestServer {
  readonly url: string;
  stop(): Promise<void>;
}

/** Why no test server can be had, or undefined. */
export function whyNoTestServer(env: Readonly<Record<string, string | undefined>>): string | undefined {
  if ((env[PROGRAMS_VARIABLE] ?? '') !== '') return undefined;
  if (env[TEST_SERVER_VARIABLE] !== undefined || isEmbeddedPostgresSupported()) return undefined;
  return `no embedded PostgreSQL for ${process.platform}-${process.arch}; set ${TEST_SERVER_VARIABLE} to a server of your own`;
}

/** What a crash would lose does not matter here; connections are many because every test file brings its own pools. */
const testSettings = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  wal_level: 'minimal',
  max_wal_senders: '0',
  max_connections: '300',
  max_wal_size: '256MB',
};

/**
 * A file system in memory, where there is one with room: to make and to drop hundreds of databases is thousands of files, which cost more
 * than all statements of the tests together. A run takes up some 700 MB of it.
 */
const memoryFolder = '/dev/shm';
const memoryBytesMin = 2 * 1024 ** 3;

/** `settings` of the server; those of tests by default. `parent` is the folder to put its own into; in memory by default, where that may be. */
export async function startTestServer(
  settings: Readonly<Record<string, string>> = testSettings,
  parent?: string,
): Promise<TestServer> {
  if ((readProcessInput().env[PROGRAMS_VARIABLE] ?? '') !== '') {
    const server = await startSystemPostgres({ settings, parent: parent ?? (await parentFolder()) });
    console.log(`the tests run on PostgreSQL ${await serverVersion(server.url)}`);
    return { url: server.url, stop: () => server.remove() };
  }
  const folder = await mkdtemp(join(parent ?? (await parentFolder()), 'ccx-test-postgres-'));
  // As root the server runs as another account, which has to get in.
  await chmod(folder, 0o711);
  try {
    const server = await startEmbeddedPostgres({
      dataDir: join(folder, 'postgres'),
      clock: createSystemClock(),
      settings,
    });
    const dismissWatchdog = startWatchdog(server.pid, folder);
    return {
      url: server.url,
      async stop() {
        dismissWatchdog();
        await server.stop();
        await rm(folder, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

async function parentFolder(): Promise<string> {
  try {
    const { bavail, bsize } = await statfs(memoryFolder);
    return bavail * bsize >= memoryBytesMin ? memoryFolder : tmpdir();
  } catch {
    return tmpdir();
  }
}

/** Waits for a word on its standard input; the end of input without it means that we died. In a session of its own, like the server. */
function startWatchdog(pid: number, folder: string): () => void {
  const script = `read -r word; [ "$word" = dismissed ] && exit 0
    kill -QUIT "$1"; tries=0
    while kill -0 "$1" && [ $tries -lt 50 ]; do sleep 0.1; tries=$((tries + 1)); done
    rm -rf "$2"`;
  const child = spawn('/bin/sh', ['-c', script, 'watchdog', String(pid), folder], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  child.on('error', () => undefined);
  child.stdin.on('error', () => undefined);
  child.unref();
  (child.stdin as unknown as { unref(): void }).unref();
  return () => {
    child.stdin.end('dismissed\n');
  };
}
