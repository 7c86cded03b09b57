/**
 * The PostgreSQL servers of the benchmarks: the embedded one with the settings that an installation has (everything is flushed, to a disk), or a server of
 * your own; and Debian's. One of each for all benchmarks of a run, started when the first asks for it; gone afterwards even if the run is
 * killed.
 */
import { tmpdir } from 'node:os';
import pg from 'pg';
import { connectDatabase } from '../../src/platform/database/connect-database.ts';
import { createDatabaseIfMissing } from '../../src/platform/database/embedded/start-embedded-postgres.ts';
import type { Lifecycle } from '../../src/platform/lifecycle/lifecycle.ts';
import { ensureNotificationSchema } from '../../src/platform/records/notification-schema.ts';
import { startTestServer, type TestServer } from '../../test/support/postgres-server.ts';
import { startSystemPostgres } from '../../test/support/system-postgres.ts';
import type { BenchDatabase, DatabaseEngine } from './benchmark.ts';
import { postmasterOf } from './costs.ts';

/** A server whose user may create databases, to measure on it instead. */
export const BENCH_SERVER_VARIABLE = 'CCX_BENCH_POSTGRES_URL';

export interface BenchServer {
  /** With the notification schema; closed and dropped by `lifecycle`. */
  createDatabase(name: string, lifecycle: Lifecycle, engine: DatabaseEngine): Promise<BenchDatabase>;
  stop(): Promise<void>;
}

export function createBenchServer(env: Readonly<Record<string, string | undefined>>): BenchServer {
  const given = env[BENCH_SERVER_VARIABLE] ?? '';
  const own: { -readonly [Engine in DatabaseEngine]?: Promise<TestServer> } = {};
  const serverUrl = async (engine: DatabaseEngine) => {
    if (engine === 'embedded' && given !== '') return given;
    own[engine] ??= engine === 'embedded' ? startTestServer({}, tmpdir()) : startDebian();
    return (await own[engine]).url;
  };
  return {
    async createDatabase(name, lifecycle, engine) {
      const server = await serverUrl(engine);
      const url = await createDatabaseIfMissing(server, name);
      lifecycle.defer(`removal of ${name}`, () => dropDatabase(server, name));
      const database = connectDatabase({ url, applicationName: 'ccx bench' });
      lifecycle.defer(`database ${name}`, () => database.close());
      await ensureNotificationSchema(database);
      return { url, database, server: await postmasterOf(database) };
    },
    async stop() {
      for (const server of Object.values(own)) await server.then((one) => one.stop());
    },
  };
}

/** With its defaults: what a shared server of a hosted pipeline is like, and compiled with lz4. */
async function startDebian(): Promise<TestServer> {
  const server = await startSystemPostgres();
  return { url: server.url, stop: () => server.remove() };
}

async function dropDatabase(server: string, name: string): Promise<void> {
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  try {
    await client.query(`DROP DATABASE IF EXISTS ${pg.escapeIdentifier(name)} WITH (FORCE)`);
  } finally {
    await client.end();
  }
}
