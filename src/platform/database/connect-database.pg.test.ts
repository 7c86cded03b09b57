/** The `Database` port against a real server: types, outcomes of transactions, lost connections, LISTEN. */
import assert from 'node:assert/strict';
import { createServer, type Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import Cursor from 'pg-cursor';
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts';
import { listening, unusedPort } from '../../../test/support/test-server.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
import { createManualClock } from '../clock/manual-clock.ts';
import { connectDatabase, rollbackMsMax } from './connect-database.ts';
import { withDatabaseName } from './connection-url.ts';
import { isRetryableDatabaseError, sqlState } from './database-error.ts';

describe('connectDatabase', () => {
  let context: TestDatabase;
  before(async () => {
    context = await createTestDatabase();
    await context.database.query('CREATE TABLE item (id integer PRIMARY KEY, name text)');
  });
  after(() => context.drop());

  const open = (url = context.url, connectionsMax = 2) =>
    connectDatabase({ url, applicationName: 'test', connectionsMax });
  const terminateOthers = () =>
    context.database.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'test'`,
    );

  test('timestamps keep their microseconds as text in UTC and int8 arrives as bigint', async () => {
    const { rows } = await context.database.query(`
      SELECT timestamp '2026-11-21 16:15:49.123456' AS zoneless, timestamptz '2026-11-21 16:15:49.1+02' AS zoned,
             date '2026-11-21' AS day, interval '1 day 02:00' AS span, 9007199254740993::int8 AS big, 7::int4 AS small,
             ARRAY[1::int8, NULL] AS bigs, ARRAY[timestamp '2026-01-01'] AS times, 1.50::numeric AS price,
             '{"a":1}'::json AS document, '\\x00ff'::bytea AS bytes, count(*) AS n FROM generate_series(1, 3)`);
    assert.deepEqual(rows, [
      {
        zoneless: '2026-11-21 16:15:49.123456',
        zoned: '2026-11-21 14:15:49.1+00',
        day: '2026-11-21',
        span: '1 day 02:00:00',
        big: 9_007_199_254_740_993n,
        small: 7,
        bigs: [1n, null],
        times: ['2026-01-01 00:00:00'],
        price: '1.50',
        document: { a: 1 },
        bytes: Buffer.from([0, 255]),
        n: 3n,
      },
    ]);
  });

  test('values go out as parameters, rowCount counts, and nothing stays prepared in the session', async () => {
    const inserted = await context.database.query('INSERT INTO item VALUES ($1, $2), ($3, $4)', [1, "it's", 2, null]);
    assert.equal(inserted.rowCount, 2);
    await context.database.withConnection(async (connection) => {
      for (const [id, name] of [
        [1, "it's"],
        [2, null],
      ] as const) {
        const { rows } = await connection.query<{ name: string | null }>('SELECT name FROM item WHERE id = $1', [id]);
        assert.deepEqual(rows, [{ name }]);
      }
      const { rowCount } = await connection.query('SELECT FROM pg_prepared_statements');
      assert.equal(rowCount, 0);
    });
    assert.equal((await context.database.query('SELECT 1; SELECT 2 AS last')).rows[0]?.['last'], 2);
  });

  test('a transaction keeps everything or nothing', async () => {
    await assert.rejects(
      context.database.transaction(async (tx) => {
        await tx.query('INSERT INTO item VALUES (10)');
        throw new Error('changed my mind');
      }),
      /changed my mind/,
    );
    const answer = await context.database.transaction(async (tx) => {
      await tx.query('INSERT INTO item VALUES (11)');
      return 'kept';
    });
    assert.equal(answer, 'kept');
    const { rows } = await context.database.query('SELECT id FROM item WHERE id IN (10, 11)');
    assert.deepEqual(rows, [{ id: 11 }]);
  });

  test("a constraint's error keeps its SQLSTATE and the connection stays in use", async () => {
    const database = open(context.url, 1);
    const pid = async () => (await database.query('SELECT pg_backend_pid() AS pid')).rows[0]?.['pid'];
    const first = await pid();
    await database.query('INSERT INTO item VALUES (20)');
    await assert.rejects(database.query('INSERT INTO item VALUES (20)'), (error) => sqlState(error) === '23505');
    assert.equal(await pid(), first);
    await database.close();
  });

  test('COMMIT that fails rejects, and a swallowed statement error does not pass as stored', async () => {
    await context.database.query(`CREATE TABLE parent (id integer PRIMARY KEY);
      CREATE TABLE child (id integer REFERENCES parent DEFERRABLE INITIALLY DEFERRED)`);
    await assert.rejects(
      context.database.transaction((tx) => tx.query('INSERT INTO child VALUES (1)')),
      (error) => sqlState(error) === '23503',
    );
    await assert.rejects(
      context.database.transaction(async (tx) => {
        await tx.query('INSERT INTO parent VALUES (1)');
        await tx.query('SELECT 1/0').catch(() => undefined);
      }),
      { code: 'DATABASE_ROLLED_BACK', retryable: false },
    );
    assert.equal((await context.database.query('SELECT * FROM parent')).rowCount, 0);
  });

  test('isolation and read-only are those asked for', async () => {
    const { rows } = await context.database.transaction(
      (tx) =>
        tx.query(
          `SELECT current_setting('transaction_isolation') AS level, current_setting('transaction_read_only') AS ro`,
        ),
      { isolation: 'repeatable read', readOnly: true },
    );
    assert.deepEqual(rows, [{ level: 'repeatable read', ro: 'on' }]);
  });

  test('two transactions in conflict: one of them gets a retryable error', async () => {
    const bump = (id: number) => (tx: { query: typeof context.database.query }) =>
      tx.query('UPDATE item SET name = $2 WHERE id = $1', [id, 'x']);
    await assert.rejects(
      context.database.transaction(
        async (tx) => {
          await tx.query('SELECT * FROM item');
          await context.database.query(`INSERT INTO item VALUES (30) ON CONFLICT (id) DO UPDATE SET name = 'y'`);
          await context.database.query(`UPDATE item SET name = 'z' WHERE id = 11`);
          await bump(11)(tx);
        },
        { isolation: 'serializable' },
      ),
      (error) => error instanceof CcxError && error.code === 'DATABASE_CONFLICT' && isRetryableDatabaseError(error),
    );
  });

  test('a connection that is cut is told as retryable, is not handed out again, and the next statement works', async () => {
    const database = open();
    const lost = database.query('SELECT pg_sleep(30)');
    const ended = assert.rejects(lost, { code: 'DATABASE_SHUTDOWN', retryable: true });
    await waitFor(async () => (await activeSleepers()) === 1n);
    await terminateOthers();
    await ended;
    assert.equal((await database.query('SELECT 1 AS one')).rows[0]?.['one'], 1);
    // One that is cut while idle is noticed by the pool, not by the next caller.
    await terminateOthers();
    await waitFor(async () => {
      await database.check();
      return true;
    });
    await database.close();
  });

  test('a connection that breaks between two statements of a transaction does not end the process', async () => {
    const database = open();
    await assert.rejects(
      database.transaction(async (tx) => {
        await tx.query('INSERT INTO item VALUES (40)');
        // Its end may come before the answer to what ends it.
        const ended = new Promise<void>((resolve) => tx.client.once('end', () => resolve()));
        await terminateOthers();
        await ended;
      }),
      { code: 'DATABASE_COMMIT_UNKNOWN', retryable: true },
    );
    assert.equal((await database.query('SELECT 1 FROM item WHERE id = 40')).rowCount, 0);
    await database.close();
  });

  test('a connection that the server ends as soon as it has begun does not end the process', async () => {
    const message = (type: string, body: string) => {
      const head = Buffer.alloc(5);
      head.write(type);
      head.writeInt32BE(4 + body.length, 1);
      return Buffer.concat([head, Buffer.from(body, 'latin1')]);
    };
    const authenticated = message('R', '\0\0\0\0');
    const ended = message('E', 'SFATAL\0VFATAL\0C57P01\0Mterminating connection\0\0');
    const server = createServer((socket) => {
      // One chunk, so that there is no turn of the event loop between the beginning and the end.
      socket.once('data', () => socket.end(Buffer.concat([authenticated, message('Z', 'I'), ended])));
      socket.on('error', () => undefined);
    });
    const { port, close } = await listening(server);
    const other = open(`postgres://u@127.0.0.1:${port}/d?sslmode=disable`);
    await assert.rejects(other.query('SELECT 1'), { code: 'DATABASE_LOST', retryable: true });
    await other.close();
    close();
  });

  test('a session speaks UTC, ISO and UTF-8 whatever the role and the database have set', async () => {
    const { rows: own } = await context.database.query<{ role: string; name: string }>(
      'SELECT current_user::text AS role, current_database()::text AS name',
    );
    const { role, name } = own[0]!;
    await context.database.query(`
      ALTER ROLE "${role}" IN DATABASE "${name}" SET TimeZone TO 'Asia/Tokyo';
      ALTER ROLE "${role}" IN DATABASE "${name}" SET DateStyle TO 'German';
      ALTER ROLE "${role}" IN DATABASE "${name}" SET client_encoding TO 'LATIN1'`);
    const database = open(
      `${context.url}${context.url.includes('?') ? '&' : '?'}DateStyle=SQL&options=-c%20TimeZone%3DCET`,
    );
    const { rows } = await database.query(
      `SELECT now()::timestamp = now() AT TIME ZONE 'UTC' AS utc, timestamp '2026-11-21 16:15:49' AS iso, chr(8364) AS text`,
    );
    assert.deepEqual(rows, [{ utc: true, iso: '2026-11-21 16:15:49', text: '€' }]);
    await database.close();
    await context.database.query(`ALTER ROLE "${role}" IN DATABASE "${name}" RESET ALL`);
  });

  test('a session in another zone, date style or encoding is refused with the setting to change', async () => {
    const fits = { TimeZone: 'Etc/UTC', DateStyle: 'ISO, DMY', client_encoding: 'UTF8' };
    for (const [setting, value] of [
      ['TimeZone', 'Asia/Tokyo'],
      ['DateStyle', 'SQL, DMY'],
      ['client_encoding', 'LATIN1'],
    ] as const) {
      const server = await startDeafServer({ ...fits, [setting]: value });
      const database = open(`postgres://u@127.0.0.1:${server.port}/d?sslmode=disable`);
      await assert.rejects(database.query('SELECT 1'), (error) => {
        assert.ok(error instanceof CcxError);
        assert.equal(error.code, 'DATABASE_SESSION');
        assert.match(error.hint ?? '', new RegExp(`ALTER ROLE "u" SET ${setting} TO`));
        assert.ok(error.message.includes(value));
        return true;
      });
      await database.close();
      await server.stop();
    }
  });

  test('a spell in which the database is read-only ends for a connection of that time with the next statement', async () => {
    const { rows: own } = await context.database.query<{ name: string }>('SELECT current_database()::text AS name');
    const { name } = own[0]!;
    await context.database.query(`ALTER DATABASE "${name}" SET default_transaction_read_only TO on`);
    const database = open(context.url, 1);
    const write = () => database.transaction((tx) => tx.query('INSERT INTO item VALUES (60) ON CONFLICT DO NOTHING'));
    const isReadOnly = (error: unknown) =>
      error instanceof CcxError && error.code === 'DATABASE_READ_ONLY' && isRetryableDatabaseError(error);
    await assert.rejects(write(), isReadOnly);
    await context.database.withConnection(async (connection) => {
      await connection.query('BEGIN READ WRITE');
      await connection.query(`ALTER DATABASE "${name}" RESET default_transaction_read_only`);
      await connection.query('COMMIT');
    });
    await write();
    // A caller that swallows the error does not keep the connection either.
    await database.withConnection(async (connection) => {
      await connection.query('SET default_transaction_read_only TO on');
      await assert.rejects(connection.query('INSERT INTO item VALUES (61)'), isReadOnly);
    });
    await write();
    await database.close();
  });

  test('a connection gets no older than its greatest age, however busy it is', async () => {
    const database = connectDatabase({
      ...{ url: context.url, applicationName: 'test', connectionsMax: 1 },
      connectionAgeMs: 100,
    });
    const session = async () => (await database.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]!.pid;
    const first = await session();
    await waitFor(async () => (await session()) !== first);
    await database.close();
  });

  test('a cursor that its reader abandoned does not block the rollback for ever', async () => {
    const clock = createManualClock();
    const database = connectDatabase({ url: context.url, applicationName: 'test', connectionsMax: 1, clock });
    const failed = database.transaction(async (tx) => {
      await tx.query('INSERT INTO item VALUES (50)');
      const cursor = tx.client.query(new Cursor('SELECT generate_series(1, 100000)'));
      await cursor.read(1);
      throw new Error('reader gave up');
    });
    const ended = assert.rejects(failed, /reader gave up/).then(() => clock.now());
    const started = clock.now();
    // The clock moves until the limit has passed for the rollback, whenever it began.
    const end = await untilSettled(ended, () => clock.advance(rollbackMsMax));
    assert.ok(end.getTime() - started.getTime() >= rollbackMsMax);
    assert.equal((await database.query('SELECT 1 FROM item WHERE id = 50')).rowCount, 0);
    await database.close();
  });

  test('a connection left inside a transaction is not handed to the next borrower', async () => {
    const database = open(context.url, 1);
    await database.withConnection((connection) => connection.query('BEGIN'));
    const { rows } = await database.query(`SELECT now() = statement_timestamp() AS own`);
    assert.deepEqual(rows, [{ own: true }]);
    await database.close();
  });

  test("an error of the caller's own passes through withConnection unchanged", async () => {
    const own = Object.assign(new Error('fetch failed'), { code: 'ECONNREFUSED' });
    await assert.rejects(
      context.database.withConnection(() => Promise.reject(own)),
      (error) => error === own,
    );
  });

  test('LISTEN calls for each NOTIFY, and once after a reconnect for what may have been missed', async () => {
    const database = open();
    const heard: string[] = [];
    const stop = await database.listen('Topic "a"', (payload) => heard.push(payload));
    const stopTwin = await database.listen('Topic "a"', (payload) => heard.push(`twin ${payload}`));
    const notify = (payload: string) => context.database.query('SELECT pg_notify($1, $2)', ['Topic "a"', payload]);
    await notify('one');
    await waitFor(async () => heard.length === 2);
    assert.deepEqual(heard, ['one', 'twin one']);
    await stopTwin();
    heard.length = 0;
    await terminateOthers();
    await waitFor(async () => heard.length === 1);
    assert.deepEqual(heard, ['']);
    await notify('two');
    await waitFor(async () => heard.length === 2);
    await stop();
    await notify('three');
    await database.query('SELECT 1');
    assert.deepEqual(heard, ['', 'two']);
    await database.close();
  });

  test('check accepts a server that can be used and says what is wrong with one that cannot', async () => {
    await context.database.check();
    const wrong = new URL(context.url);
    wrong.password = 'wrong';
    const expectCode = async (url: string, code: string) => {
      const database = open(url);
      await assert.rejects(database.check(), { code }, code);
      await database.close();
    };
    await expectCode(wrong.href, 'DATABASE_AUTH');
    await expectCode(withDatabaseName(context.url, 'no-such-database'), 'DATABASE_MISSING');
    await expectCode(context.url.replace('sslmode=disable', 'sslmode=require'), 'DATABASE_TLS');
    await expectCode(context.url.replace(/:\d+\//, `:${await unusedPort()}/`), 'DATABASE_UNREACHABLE');
  });

  test('a server that accepts and then says nothing is given up after connect_timeout', async () => {
    const { port, close } = await listening(createServer());
    const database = open(`postgres://u@127.0.0.1:${port}/d?connect_timeout=1`);
    await assert.rejects(database.check(), { code: 'DATABASE_UNREACHABLE' });
    await database.close();
    close();
  });

  test('after close every call is refused, and closing twice is harmless', async () => {
    const database = open();
    await database.query('SELECT 1');
    await Promise.all([database.close(), database.close()]);
    await assert.rejects(database.query('SELECT 1'), { code: 'DATABASE_CLOSED' });
    await assert.rejects(
      database.listen('x', () => undefined),
      { code: 'DATABASE_CLOSED' },
    );
  });

  const activeSleepers = () => countActivity(`query LIKE '%pg_sleep%' AND state = 'active'`);
  const countActivity = async (condition: string) => {
    const { rows } = await context.database.query<{ n: bigint }>(
      `SELECT count(*) AS n FROM pg_stat_activity WHERE application_name = 'test' AND ${condition}`,
    );
    return rows[0]!.n;
  };
});

/** Lets everybody in, reports its settings whatever was asked for, and answers nothing more. */
async function startDeafServer(settings: Readonly<Record<string, string>>) {
  const message = (type: string, body: string) => {
    const head = Buffer.alloc(5);
    head.write(type);
    head.writeInt32BE(4 + body.length, 1);
    return Buffer.concat([head, Buffer.from(body, 'latin1')]);
  };
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('data', () => {
      const reported = Object.entries(settings).map(([name, value]) => message('S', `${name}\0${value}\0`));
      socket.write(Buffer.concat([message('R', '\0\0\0\0'), ...reported, message('Z', 'I')]));
    });
  });
  const { port } = await listening(server);
  return {
    port,
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Repeats `step` until the promise is settled. */
async function untilSettled<T>(promise: Promise<T>, step: () => Promise<void>): Promise<T> {
  const settled = new AbortController();
  promise.then(
    () => settled.abort(),
    () => settled.abort(),
  );
  while (!settled.signal.aborted) await step();
  return promise;
}

/** Until `condition` holds; the test's own time limit ends it otherwise. */
async function waitFor(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition().catch(() => false))) await new Promise((resolve) => setImmediate(resolve));
}
