/**
 * Databases for `*.pg.test.ts`: each call gives a fresh one on a shared embedded server. Under `npm test` the server is the run's; a test
 * file that is run alone starts its own at the first call and stops it after its last test.
 */
import { randomUUID } from 'node:crypto';
import { basename } from 'node:path';
import { after } from 'node:test';
import pg from 'pg';
import { readProcessInput } from '../../src/platform/config/process-input.ts';
import { connectDatabase } from '../../src/platform/database/connect-database.ts';
import type { Database } from '../../src/platform/database/database.ts';
import { createDatabaseIfMissing } from '../../src/platform/database/embedded/start-embedded-postgres.ts';
import { ensureNotificationSchema } from '../../src/platform/records/notification-schema/migrate-schema.ts';
import { startTestServer, TEST_SERVER_VARIABLE, type TestServer, whyNoTestServer } from './postgres-server.ts';

export interface TestDatabase {
  readonly database: Database;
  readonly url: string;
  /** Closes `database` and removes it from the server. */
  drop(): Promise<void>;
}

const { env } = readProcessInput();
const unavailable = whyNoTestServer(env);
if (unavailable !== undefined) {
  // Ends before the file's first test: there is nothing here that could be run.
  console.log(`skipped: ${unavailable}`);
  process.exit(0);
}

const own: { server?: Promise<TestServer>; templateReady?: boolean; stopped?: boolean } = {};
after(async () => {
  own.stopped = true;
  await (await own.server)?.stop();
});

/** URL of the server's maintenance database, with the right to create databases and roles. */
export async function testServerUrl(): Promise<string> {
  assertSuffix(process.argv[1] ?? '');
  const given = env[TEST_SERVER_VARIABLE];
  if (given !== undefined) return given;
  own.server ??= startTestServer();
  return (await own.server).url;
}

export interface TestDatabaseOptions {
  /** With the notification schema at its newest version; otherwise empty. */
  readonly migrated?: boolean;
}

export async function createTestDatabase(options: TestDatabaseOptions = {}): Promise<TestDatabase> {
  const serverUrl = await testServerUrl();
  const template = options.migrated === true ? await migratedTemplate(serverUrl) : undefined;
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  const url = await createDatabaseIfMissing(serverUrl, name, template);
  const database = connectDatabase({ url, applicationName: basename(process.argv[1] ?? 'test') });
  return {
    database,
    url,
    async drop() {
      await database.close();
      // A file's own `after` runs behind the one above: the server is gone then, and the database with it.
      if (own.stopped === true) return;
      await onServer(serverUrl, (client) =>
        client.query(`DROP DATABASE IF EXISTS ${pg.escapeIdentifier(name)} WITH (FORCE)`),
      );
    },
  };
}

export interface TestRole {
  readonly user: string;
  /** The same database as that user. */
  readonly url: string;
  /** To be called before the database is dropped. */
  remove(): Promise<void>;
}

/** A user of the database with nothing but what `grants` hand out; of new databases everybody may use schema `public`. */
export async function createTestRole(
  { database, url }: TestDatabase,
  grants: (user: string) => readonly string[],
): Promise<TestRole> {
  const user = `role_${randomUUID().replaceAll('-', '')}`;
  const password = randomUUID();
  await database.query(`CREATE ROLE ${user} LOGIN PASSWORD '${password}'`);
  for (const grant of grants(user)) await database.query(grant);
  const own = new URL(url);
  own.username = user;
  own.password = password;
  return {
    user,
    url: own.href,
    async remove() {
      await database.query(`DROP OWNED BY ${user}`);
      await database.query(`DROP ROLE ${user}`);
    },
  };
}

const templateLock = 7_702_201;

/** Migrated once per server and cloned from then on, which is several times faster; the test files of a run share it. */
async function migratedTemplate(serverUrl: string): Promise<string> {
  const finished = 'ccx_test_template';
  if (own.templateReady === true) return finished;
  await onServer(serverUrl, async (client) => {
    await client.query('SELECT pg_advisory_lock($1)', [templateLock]);
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [finished]);
    if (rowCount !== 0) return;
    const unfinished = `${finished}_${randomUUID().replaceAll('-', '')}`;
    const database = connectDatabase({
      url: await createDatabaseIfMissing(serverUrl, unfinished),
      applicationName: 'test template',
    });
    await ensureNotificationSchema(database);
    await database.close();
    await client.query(`ALTER DATABASE ${unfinished} RENAME TO ${finished}`);
  });
  own.templateReady = true;
  return finished;
}

/** The connection ends with the work, and with it its locks. */
async function onServer(url: string, work: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

/** The suffix of a test says what it needs, so that whoever lacks it can leave it out by name. */
function assertSuffix(path: string): void {
  if (!/\.(pg|process|fault|kafka|pgbouncer|load)\.test\.ts$/.test(path)) {
    throw new Error(
      `${basename(path)} uses PostgreSQL: name it ${basename(path).replace(/(\.\w+)?\.test\.ts$/, '')}.pg.test.ts`,
    );
  }
}
