/**
 * Databases for tests: each call gives a fresh one on a shared embedded server. Under `npm test` the server is the run's; a test
 * file that is run alone starts its own at the first call and stops it after its last test.
 */
import { randomUUID } from 'node:crypto';
import { basename } from 'node:path';
import { after } from 'node:test';
import pg from 'pg';
import { readProcessInput } from '../../src/platform/config/process-input.ts';
import { migrateCcx } from '../../src/platform/database/ccx-migrations.ts';
import { connectDatabase } from '../../src/platform/database/connect-database.ts';
import type { Database } from '../../src/platform/database/database.ts';
import { createDatabaseIfMissing } from '../../src/platform/database/embedded/start-embedded-postgres.ts';
import { makeEventMonths } from '../../src/platform/records/issue-event-months.ts';
import { ensureNotificationSchema } from '../../src/platform/records/notification-schema.ts';
import { startTestServer, TEST_SERVER_VARIABLE, type TestServer, whyNoTestServer } from './postgres-server.ts';
import { type Pristine, readPristine, restorePristine } from './pristine-database.ts';
import { assertKindMay } from './test-kinds.ts';

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

const own: { server?: Promise<TestServer>; stopped?: boolean } = {};
const templates = new Map<string, Template>();
after(async () => {
  own.stopped = true;
  if (own.server !== undefined) await (await own.server).stop();
  else for (const { idle } of templates.values()) await Promise.all(idle.splice(0).map((url) => dropDatabase(url)));
});

/** URL of the server's maintenance database, with the right to create databases and roles. */
export async function testServerUrl(): Promise<string> {
  assertKindMay('use PostgreSQL');
  const given = env[TEST_SERVER_VARIABLE];
  if (given !== undefined) return given;
  own.server ??= startTestServer();
  return (await own.server).url;
}

export interface TestDatabaseOptions {
  /** With the notification schema at its newest version; otherwise empty. */
  readonly migrated?: boolean;
  /** With these sets of our own tables beside it, as a service leaves them at its first start. */
  readonly sets?: readonly string[];
  /** Maintenance database of a server of the test's own, for a database that is empty; the run's server by default. */
  readonly server?: string;
}

export async function createTestDatabase({
  migrated = false,
  sets = [],
  server,
}: TestDatabaseOptions = {}): Promise<TestDatabase> {
  const template = migrated ? await templateOf(sets) : undefined;
  const url = await (template === undefined ? createDatabase(server) : cloneOf(template));
  const database = connectDatabase({ url, applicationName: basename(process.argv[1] ?? 'test') });
  return {
    database,
    url,
    async drop() {
      await database.close();
      if (template !== undefined && (await keepForNext(url, template))) return;
      // A file's own `after` runs behind the one above: a server of the file's own is gone then, and the database with it.
      if (own.stopped !== true || own.server === undefined) await dropDatabase(url, server);
    },
  };
}

async function createDatabase(server?: string, template?: string): Promise<string> {
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  return await createDatabaseIfMissing(server ?? (await testServerUrl()), name, template);
}

/** A database that is cloned, which is several times faster than to fill each; what this process knows of it. */
interface Template {
  readonly name: string;
  clones: number;
  pristine?: Pristine;
  /** Clones that nobody uses any more, as they came from the template. */
  readonly idle: string[];
}

/** One that an earlier test of this file has left, emptied, or a new one. */
async function cloneOf(template: Template): Promise<string> {
  const idle = template.idle.pop();
  if (idle !== undefined) return idle;
  const url = await createDatabase(undefined, template.name);
  template.clones += 1;
  // Most files need one database: only a second one promises a third.
  if (template.clones === 2) template.pristine = await onServer(url, readPristine);
  return url;
}

/** False when the database cannot be brought back to what the template is. */
async function keepForNext(url: string, { pristine, idle }: Template): Promise<boolean> {
  if (pristine === undefined || own.stopped === true) return false;
  const restored = await onServer(url, async (client) => {
    const { rowCount } = await client.query(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
    );
    // Somebody still works in it, and would go on with what comes next.
    return rowCount === 0 && (await restorePristine(client, pristine));
  }).catch(() => false);
  if (restored) idle.push(url);
  return restored;
}

const templateLock = 7_702_201;

/** Made by whoever needs it first; the test files of a run share it. */
async function templateOf(sets: readonly string[]): Promise<Template> {
  const name = ['ccx_test_template', ...sets].join('_').replaceAll('-', '_');
  const known = templates.get(name);
  if (known !== undefined) return known;
  const serverUrl = await testServerUrl();
  await onServer(serverUrl, async (client) => {
    await client.query('SELECT pg_advisory_lock($1)', [templateLock]);
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
    if (rowCount !== 0) return;
    const unfinished = `unfinished_${randomUUID().replaceAll('-', '')}`;
    const database = connectDatabase({
      url: await createDatabaseIfMissing(serverUrl, unfinished),
      applicationName: 'test template',
    });
    await ensureNotificationSchema(database);
    for (const set of sets) await migrateCcx(database, set);
    // A service makes the months that are missing at its start: of now, and of the clock that stands still.
    for (const now of [Date.now(), Date.UTC(2026, 10, 21)]) await makeEventMonths(database, BigInt(now) * 1000n);
    await database.close();
    await client.query(`ALTER DATABASE ${unfinished} RENAME TO ${name}`);
  });
  const template: Template = templates.get(name) ?? { name, clones: 0, idle: [] };
  templates.set(name, template);
  return template;
}

async function dropDatabase(url: string, server?: string): Promise<void> {
  const name = decodeURIComponent(new URL(url).pathname.slice(1));
  await onServer(server ?? (await testServerUrl()), (client) =>
    client.query(`DROP DATABASE IF EXISTS ${pg.escapeIdentifier(name)} WITH (FORCE)`),
  );
}

/** Between tests that share a database. Referring tables first. A TRUNCATE makes new files for every table and index, which takes longer. */
export async function emptyTables(database: Database, ...tables: readonly string[]): Promise<void> {
  for (const table of tables) await database.query(`DELETE FROM ${table}`);
}

/** A statement on tables that take nothing from this release any more (`ccx.stored_message`). As a superuser, which tests are. */
export async function asEarlierRelease(
  database: Database,
  text: string,
  values: readonly unknown[] = [],
): Promise<void> {
  await database.transaction(async (tx) => {
    await tx.query(`SET LOCAL session_replication_role = 'replica'`);
    await tx.query(text, values);
  });
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
  const address = new URL(url);
  address.username = user;
  address.password = password;
  return {
    user,
    url: address.href,
    async remove() {
      // As above: with the server it is gone.
      if (own.stopped === true && own.server !== undefined) return;
      await database.query(`DROP OWNED BY ${user}`);
      await database.query(`DROP ROLE ${user}`);
    },
  };
}

/** The connection ends with the work, and with it its locks. */
async function onServer<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
