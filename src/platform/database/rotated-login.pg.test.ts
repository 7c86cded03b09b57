/** A user and a password that change while a pool and a LISTEN work with them, from a file and from a source that has to be asked anew. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { after, afterEach, before, describe, test } from 'node:test';
import {
  createTestDatabase,
  createTestRole,
  type TestDatabase,
  type TestRole,
} from '../../../test/support/postgres.ts';
import { temporaryFile } from '../../../test/support/temporary-folder.ts';
import { until } from '../../../test/support/until.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
import { databaseOfUrl } from './configured-database.ts';
import { connectDatabase } from './connect-database.ts';
import type { Database } from './database.ts';
import type { RotatedUrl } from './rotated-login.ts';

describe('a login that is rotated', () => {
  let context: TestDatabase;
  let role: TestRole;
  const opened: Database[] = [];
  before(async () => {
    context = await createTestDatabase();
    role = await createTestRole(context, () => []);
  });
  afterEach(() => Promise.all(opened.splice(0).map((database) => database.close())));
  after(async () => {
    await role.remove();
    await context.drop();
  });

  const open = (url: string, rotated: RotatedUrl | undefined) => {
    const location = { url, setting: 'database.url', ...(rotated === undefined ? {} : { rotated }) };
    const database = connectDatabase({ ...location, applicationName: 'rotated', connectionsMax: 2 });
    opened.push(database);
    return database;
  };
  const openFile = (path: string, url: string) => {
    const secretFiles = { 'database.url': { setting: 'CCX_DATABASE_URL', path } };
    const { rotated } = databaseOfUrl({ config: { 'database.url': url }, secretFiles }, 'database.url', 'database.url');
    return open(url, rotated);
  };
  /** On the server; the URL with the new password. */
  const changePassword = async (): Promise<string> => {
    const password = randomUUID();
    await context.database.query(`ALTER ROLE ${role.user} PASSWORD '${password}'`);
    return urlWith(role.user, password);
  };
  const urlWith = (user: string, password: string): string => {
    const url = new URL(context.url);
    url.username = user;
    url.password = password;
    return url.href;
  };
  const cutConnections = () =>
    context.database.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'rotated'`);
  const whoAmI = async (database: Database) =>
    (await database.query<{ name: string }>('SELECT current_user AS name')).rows[0]!.name;

  test('an open session goes on, and the next connection takes what the file holds by then', async () => {
    const before = await changePassword();
    const path = temporaryFile('url', `${before}\n`);
    const database = openFile(path, before);
    assert.equal(await whoAmI(database), role.user);
    const behind = await changePassword();
    assert.equal(await whoAmI(database), role.user);
    writeFileSync(path, `${behind}\n`);
    await cutConnections();
    await until(async () => (await whoAmI(database).catch(() => '')) === role.user);
  });

  test('until the file has the new password the refusal may pass, and says so; half a file changes nothing', async () => {
    const before = await changePassword();
    const path = temporaryFile('url', before);
    const database = openFile(path, before);
    await database.check();
    const behind = await changePassword();
    await cutConnections();
    const refused = (error: unknown) =>
      error instanceof CcxError && error.code === 'DATABASE_AUTH' && error.retryable && /password/.test(error.hint!);
    await until(() => database.check().then(() => false, refused));
    writeFileSync(path, behind.slice(0, 12));
    await assert.rejects(database.check(), refused);
    writeFileSync(path, behind);
    await database.check();
  });

  test('a login that was never accepted is a wrong setting, which does not pass by itself', async () => {
    const wrong = urlWith(role.user, 'wrong');
    await assert.rejects(openFile(temporaryFile('url', wrong), wrong).check(), {
      code: 'DATABASE_AUTH',
      retryable: false,
    });
  });

  test('another user comes with the next connection as well, for statements and for LISTEN', async () => {
    const other = await createTestRole(context, () => []);
    const before = await changePassword();
    const path = temporaryFile('url', before);
    const database = openFile(path, before);
    const heard: string[] = [];
    await database.listen('rotation', (payload) => heard.push(payload));
    assert.equal(await whoAmI(database), role.user);
    writeFileSync(path, other.url);
    await context.database.query(`ALTER ROLE ${role.user} NOLOGIN`);
    await cutConnections();
    await until(async () => (await whoAmI(database).catch(() => '')) === other.user);
    // Once for what may have been missed.
    await until(() => heard.length === 1);
    await context.database.query(`NOTIFY rotation, 'more'`);
    await until(() => heard.length === 2);
    assert.deepEqual(heard, ['', 'more']);
    await database.close();
    await context.database.query(`ALTER ROLE ${role.user} LOGIN`);
    await other.remove();
  });

  test('a source that keeps what it read is asked anew when that is refused, and nobody notices', async () => {
    let [kept, stored] = [await changePassword(), ''];
    let reloads = 0;
    const source: RotatedUrl = {
      value: async () => kept,
      async reload() {
        reloads += 1;
        kept = stored;
        return kept;
      },
    };
    const database = open(kept, source);
    await database.check();
    stored = await changePassword();
    await database.check();
    assert.equal(reloads, 0);
    // Two at once, on two new connections.
    const together = () => Promise.all([0, 1].map(() => database.query('SELECT pg_sleep(0.1)')));
    await context.database.query(
      `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'rotated'`,
    );
    await until(() =>
      together().then(
        () => true,
        (error: CcxError) => {
          assert.notEqual(error.code, 'DATABASE_AUTH');
          return false;
        },
      ),
    );
    assert.ok(reloads >= 1);
  });
});
