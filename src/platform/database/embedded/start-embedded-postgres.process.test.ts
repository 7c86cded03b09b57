/** The embedded server's life: data survives restarts and crashes, orphans find a new owner, strangers are left alone. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { listening, unusedPort } from '../../../../test/support/test-server.ts';
import { CcxError } from '../../../encoding/ccx-error.ts';
import { createSystemClock } from '../../clock/clock.ts';
import { connectDatabase } from '../connect-database.ts';
import { isEmbeddedPostgresSupported } from './binaries.ts';
import { isAlive } from './postmaster-file.ts';
import {
  createDatabaseIfMissing,
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
  embeddedLogBytesMax,
  startEmbeddedPostgres,
} from './start-embedded-postgres.ts';

const clock = createSystemClock();
const isRoot = process.getuid?.() === 0;
const parentScript = fileURLToPath(new URL('../../../../test/support/embedded-postgres-parent.ts', import.meta.url));
const skip = isEmbeddedPostgresSupported() ? false : 'no embedded PostgreSQL for this platform';

describe('startEmbeddedPostgres', { skip }, () => {
  let template: string;
  let folder: string;
  let dataDir: string;
  let cleanups: (() => Promise<unknown> | unknown)[];
  before(async () => {
    template = await makeFolder();
    const settings = { fsync: 'off' };
    const server = await startEmbeddedPostgres({ dataDir: join(template, 'state', 'postgres'), clock, settings });
    await server.stop();
  });
  after(() => rm(template, { recursive: true, force: true }));
  beforeEach(async () => {
    folder = await makeFolder();
    dataDir = join(folder, 'state', 'postgres');
    cleanups = [];
  });
  /** An initialised data folder without the second that initdb takes, for tests that leave it stopped and whole. */
  const useTemplate = () => {
    dataDir = join(template, 'state', 'postgres');
  };
  afterEach(async () => {
    for (const cleanup of cleanups.reverse()) await cleanup();
    await rm(folder, { recursive: true, force: true });
  });

  const start = async (options: Partial<EmbeddedPostgresOptions> = {}): Promise<EmbeddedPostgres> => {
    const server = await startEmbeddedPostgres({ dataDir, clock, settings: { fsync: 'off' }, ...options });
    cleanups.push(() => server.stop());
    return server;
  };
  const query = async (url: string, text: string) => {
    const database = connectDatabase({ url, applicationName: 'test' });
    return (await database.query(text).finally(() => database.close())).rows;
  };
  const startShared = (options: Partial<EmbeddedPostgresOptions> = {}) => {
    useTemplate();
    return start(options);
  };
  const cluster = () => join(dataDir, 'cluster');
  const refusedWith = (code: string, text: RegExp) => (error: unknown) => {
    assert.ok(error instanceof CcxError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(`${error.message} / ${error.hint} / ${String(error.cause)}`, text);
    return true;
  };
  /** A process of its own that starts the server; `answer` is what it printed. */
  const startParent = async (command = [process.execPath, parentScript, dataDir], env: NodeJS.ProcessEnv = {}) => {
    const child = spawn(command[0]!, command.slice(1), { env, stdio: ['pipe', 'pipe', 'inherit'] });
    cleanups.push(() => child.kill('SIGKILL'));
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    return { child, answer: JSON.parse(line) as { pid: number; url: string; adopted: boolean; code?: string } };
  };
  const kill = async (child: ChildProcess) => {
    child.kill('SIGKILL');
    await once(child, 'exit');
  };

  test('what was stored is there after a stop and another start', async () => {
    const first = await start();
    assert.equal(first.adopted, false);
    const url = await createDatabaseIfMissing(first.url, 'notification');
    assert.equal(await createDatabaseIfMissing(first.url, 'notification'), url);
    await query(url, 'DROP TABLE IF EXISTS kept; CREATE TABLE kept AS SELECT 1 AS x');
    await Promise.all([first.stop(), first.stop()]);
    await first.gone;
    assert.equal(isAlive(first.pid), false);
    const second = await start();
    assert.deepEqual(await query(await createDatabaseIfMissing(second.url, 'notification'), 'SELECT x FROM kept'), [
      { x: 1 },
    ]);
  });

  test('it listens on this machine only, wants the password, speaks UTF-8 and UTC, and can be read by nobody else', async () => {
    const server = await start({ settings: {} });
    const [settings] = await query(
      server.url,
      `SELECT current_setting('listen_addresses') AS addresses, current_setting('unix_socket_directories') AS sockets,
              current_setting('TimeZone') AS zone, current_setting('server_encoding') AS encoding, current_setting('fsync') AS fsync,
              (SELECT datcollate FROM pg_database WHERE datname = 'postgres') AS locale,
              (SELECT string_agg(DISTINCT auth_method, ',') FROM pg_hba_file_rules) AS auth`,
    );
    assert.deepEqual(settings, {
      addresses: '127.0.0.1',
      sockets: '',
      zone: 'UTC',
      encoding: 'UTF8',
      fsync: 'on',
      locale: 'C',
      auth: 'scram-sha-256',
    });
    assert.equal(statSync(join(cluster(), 'ccx-password')).mode & 0o777, 0o600);
    assert.equal(statSync(cluster()).mode & 0o777, 0o700);
    const noPassword = new URL(server.url);
    noPassword.password = '';
    await assert.rejects(query(noPassword.href, 'SELECT 1'), refusedWith('DATABASE_AUTH', /password/));
  });

  test('the server has a session of its own, so that Ctrl-C reaches its users first', {
    skip: process.platform !== 'linux',
  }, async () => {
    const server = await startShared();
    const session = (pid: number | string) => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')[3];
    assert.equal(session(server.pid), String(server.pid));
    assert.notEqual(session(server.pid), session('self'));
  });

  test('when its owner is killed the server goes on and the next start takes it over with its data', async () => {
    useTemplate();
    const { child, answer } = await startParent();
    await query(answer.url, 'DROP TABLE IF EXISTS kept; CREATE TABLE kept AS SELECT 1 AS x');
    await kill(child);
    const server = await start();
    assert.equal(server.adopted, true);
    assert.equal(server.pid, answer.pid);
    assert.deepEqual(await query(server.url, 'SELECT x FROM kept'), [{ x: 1 }]);
    await server.stop();
    assert.equal(isAlive(answer.pid), false);
  });

  test('an orphan is moved to the port that is asked for', async () => {
    useTemplate();
    const { child, answer } = await startParent();
    await kill(child);
    const port = await unusedPort();
    const server = await start({ port });
    assert.deepEqual([server.adopted, server.port], [false, port]);
    assert.notEqual(server.pid, answer.pid);
  });

  test('a server whose owner lives is left alone, whoever asks', async () => {
    const server = await startShared();
    await assert.rejects(start(), refusedWith('EMBEDDED_POSTGRES_IN_USE', /--data/));
    const { answer } = await startParent();
    assert.equal(answer.code, 'EMBEDDED_POSTGRES_IN_USE');
    assert.deepEqual(await query(server.url, 'SELECT 1 AS one'), [{ one: 1 }]);
  });

  test('a copy of a folder in use is another folder', async () => {
    const original = await startShared();
    const copy = await mkdtemp(join(tmpdir(), 'ccx-copy-'));
    cleanups.push(() => rmSync(copy, { recursive: true, force: true }));
    chmodSync(copy, 0o755);
    await original.stop();
    execFileSync('cp', ['-a', dataDir, join(copy, 'data')]);
    const again = await startShared();
    // As a copy that was taken meanwhile: it names the living server, which takes its password.
    execFileSync('cp', ['-a', join(cluster(), 'postmaster.pid'), join(copy, 'data', 'cluster', 'postmaster.pid')]);
    const server = await startEmbeddedPostgres({ dataDir: join(copy, 'data'), clock: createSystemClock() });
    cleanups.push(() => server.stop());
    assert.deepEqual([server.adopted, server.pid === again.pid], [false, false]);
    assert.deepEqual(await query(again.url, 'SELECT 1 AS one'), [{ one: 1 }]);
  });

  test('two that start the same new folder at once: one gets it, the other is told', async () => {
    const results = await Promise.allSettled([start(), start()]);
    const failed = results.filter((result) => result.status === 'rejected');
    assert.equal(failed.length, 1);
    refusedWith('EMBEDDED_POSTGRES_IN_USE', /in use/)(failed[0]!.reason);
    assert.equal(existsSync(join(dataDir, 'cluster', 'PG_VERSION')), true);
  });

  test('an environment without anything in it is enough', async () => {
    useTemplate();
    const { child, answer } = await startParent(undefined, {});
    assert.deepEqual(await query(answer.url, 'SHOW server_encoding'), [{ server_encoding: 'UTF8' }]);
    child.stdin?.write('stop\n');
    await once(child, 'exit');
    assert.equal(isAlive(answer.pid), false);
  });

  test('a postmaster.pid that a full disk left empty or cut short does not keep the server from starting', async () => {
    const first = await startShared();
    await first.stop();
    const path = join(cluster(), 'postmaster.pid');
    for (const left of ['', '\n', 'x', `${process.ppid}\n/some`]) {
      await writeFile(path, left, { mode: 0o644 });
      const lines: string[] = [];
      const server = await startShared({ log: (line) => lines.push(line) });
      assert.deepEqual(await query(server.url, 'SELECT 1 AS one'), [{ one: 1 }], JSON.stringify(left));
      await server.stop();
    }
  });

  test('a postmaster.pid that was left behind does not keep the server from starting', async () => {
    const first = await startShared();
    await first.stop();
    const dead = spawn(process.execPath, ['-e', ''], { stdio: 'ignore' });
    await once(dead, 'exit');
    const uncollected = await startUncollected();
    for (const pid of [dead.pid!, process.pid, await startStranger(), uncollected]) {
      const path = join(cluster(), 'postmaster.pid');
      await writeFile(path, `${pid}\n${cluster()}\n1\n${first.port}\n\n127.0.0.1\n 1 1\nready   \n`);
      const server = await start();
      assert.equal(server.adopted, false);
      await server.stop();
      if (pid !== dead.pid && pid !== uncollected) assert.equal(isAlive(pid), true, 'the stranger lives on');
    }
  });

  test('a server that was killed is noticed, and its data recovered by the next start', async () => {
    const first = await startShared({ settings: {} });
    await query(first.url, 'DROP TABLE IF EXISTS kept; CREATE TABLE kept AS SELECT 1 AS x');
    process.kill(first.pid, 'SIGKILL');
    await first.gone;
    await first.stop();
    const second = await start();
    assert.deepEqual(await query(second.url, 'SELECT x FROM kept'), [{ x: 1 }]);
  });

  test('a statement that outlives a killed server is waited for, because it still uses the data', async () => {
    const first = await startShared({ settings: {} });
    const database = connectDatabase({ url: first.url, applicationName: 'test' });
    await database.query('DROP TABLE IF EXISTS kept; CREATE TABLE kept AS SELECT 1 AS x');
    const { promise: pid, resolve: tellPid } = Promise.withResolvers<number>();
    let ended = false;
    const busy = database.withConnection(async (connection) => {
      const { rows } = await connection.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      tellPid(rows[0]!.pid);
      await connection.query(`DO $$ DECLARE begun timestamptz := clock_timestamp(); BEGIN
        WHILE clock_timestamp() < begun + interval '2 seconds' LOOP END LOOP; END $$`);
      ended = true;
    });
    const isBusy = `SELECT FROM pg_stat_activity WHERE pid = ${await pid} AND state = 'active' AND query LIKE 'DO %'`;
    await until(async () => ended || (await database.query(isBusy)).rowCount === 1);
    process.kill(first.pid, 'SIGKILL');
    await until(async () => !isAlive(first.pid));
    const second = await start();
    assert.equal(second.adopted, false);
    assert.deepEqual(await query(second.url, 'SELECT x FROM kept'), [{ x: 1 }]);
    await busy;
    await database.close();
  });

  test('when one of its processes crashes the server recovers by itself and stays owned', async () => {
    const server = await startShared();
    const database = connectDatabase({ url: server.url, applicationName: 'test' });
    const owners = `SELECT pid FROM pg_stat_activity JOIN pg_locks USING (pid)
                     WHERE application_name = 'ccx-owner' AND locktype = 'advisory' AND granted`;
    const [before] = (await database.query<{ pid: number }>(owners)).rows;
    await assert.rejects(
      database.withConnection(async (connection) => {
        const { rows } = await connection.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
        process.kill(rows[0]!.pid, 'SIGKILL');
        await connection.query('SELECT pg_sleep(30)');
      }),
      refusedWith('DATABASE_LOST', /broke/),
    );
    // For a moment the connection from before the crash may still be listed.
    await until(async () => {
      const { rows } = await database.query<{ pid: number }>(owners);
      return rows.length === 1 && rows[0]?.pid !== before?.pid;
    });
    await database.close();
    await assert.rejects(start(), refusedWith('EMBEDDED_POSTGRES_IN_USE', /in use/));
  });

  test('a server that does not answer is stopped and started again', {
    skip: process.platform !== 'linux',
  }, async () => {
    useTemplate();
    const { child, answer } = await startParent();
    await kill(child);
    // Its password is not the one in the folder, so it cannot be talked to, but it works in our folder.
    const password = readFileSync(join(cluster(), 'ccx-password'));
    await writeFile(join(cluster(), 'ccx-password'), 'another');
    cleanups.push(() => writeFile(join(cluster(), 'ccx-password'), password));
    const lines: string[] = [];
    await assert.rejects(
      start({ log: (line) => lines.push(line) }),
      refusedWith('EMBEDDED_POSTGRES_START', /ccx-password/),
    );
    assert.match(lines.join('\n'), new RegExp(`does not answer \\(process ${answer.pid}\\)`));
    assert.equal(isAlive(answer.pid), false);
    assert.equal(existsSync(join(cluster(), 'postmaster.pid')), false, 'nor is the one that was started left behind');
  });

  test('data of another major version is refused with a way out, and not touched', async () => {
    await (await startShared()).stop();
    const version = readFileSync(join(cluster(), 'PG_VERSION'));
    await writeFile(join(cluster(), 'PG_VERSION'), '12\n');
    cleanups.push(() => writeFile(join(cluster(), 'PG_VERSION'), version));
    await assert.rejects(start(), refusedWith('EMBEDDED_POSTGRES_VERSION', /PostgreSQL 12.*ccx backup.*ccx restore/));
    assert.equal(readFileSync(join(cluster(), 'PG_VERSION'), 'utf8'), '12\n');
  });

  test('a first start that was killed leaves nothing that looks finished', async () => {
    await mkdir(join(dataDir, 'initialising-old'), { recursive: true });
    chmodSync(join(folder, 'state'), 0o711);
    chmodSync(dataDir, 0o711);
    const server = await start({ clock: { ...clock, now: () => new Date(Date.parse('2100-01-01')) } });
    assert.equal(existsSync(join(dataDir, 'initialising-old')), false);
    assert.deepEqual(await query(server.url, 'SELECT 1 AS one'), [{ one: 1 }]);
  });

  test('the log is set aside at a start when it is past its limit, and not at the limit', async () => {
    useTemplate();
    const log = join(dataDir, 'server.log');
    for (const [bytes, setAside] of [
      [embeddedLogBytesMax, false],
      [embeddedLogBytesMax + 1, true],
    ] as const) {
      await writeFile(log, Buffer.alloc(bytes, 'x'));
      await (await start()).stop();
      assert.equal(existsSync(`${log}.1`), setAside, `${bytes} bytes`);
      assert.match(readFileSync(log, 'utf8'), /ready to accept connections/);
    }
  });

  test('a data folder in a place closed to the server is one clear error', { skip: !isRoot }, async () => {
    const closed = join(folder, 'closed');
    await mkdir(closed, { mode: 0o700 });
    dataDir = join(closed, 'postgres');
    await assert.rejects(
      start(),
      refusedWith('EMBEDDED_POSTGRES_FOLDER', new RegExp(`may not enter ${closed} .*chmod`)),
    );
    await writeFile(join(folder, 'file'), '');
    dataDir = join(folder, 'file', 'postgres');
    await assert.rejects(start(), refusedWith('EMBEDDED_POSTGRES_FOLDER', /cannot be created/));
  });

  test('a place that takes no folder is one clear error', { skip: process.platform !== 'linux' }, async () => {
    dataDir = '/proc/ccx/postgres';
    await assert.rejects(start(), refusedWith('EMBEDDED_POSTGRES_FOLDER', /cannot be created.*ENOENT/));
  });

  test('a read-only disk is called so, with a folder on it and without', { skip: !isRoot }, async (t) => {
    const mounted = join(folder, 'mounted');
    await mkdir(join(mounted, 'postgres'), { recursive: true });
    const mount = (...options: readonly string[]) => spawnSync('mount', [...options, mounted]).status === 0;
    if (!mount('--bind', mounted)) return t.skip('nothing can be mounted here');
    try {
      assert.ok(mount('-o', 'bind,remount,ro'));
      for (const path of ['postgres', 'new/postgres']) {
        dataDir = join(mounted, path);
        await assert.rejects(
          start(),
          refusedWith('EMBEDDED_POSTGRES_FOLDER', /cannot be (created|written).*EROFS: read-only file system/),
        );
      }
    } finally {
      spawnSync('umount', [mounted]);
    }
  });

  test('a taken port and a wrong setting are told with what the server said', async () => {
    useTemplate();
    const { port, close } = await listening(createServer());
    cleanups.push(close);
    await assert.rejects(start({ port }), refusedWith('EMBEDDED_POSTGRES_PORT', /another port/));
    await assert.rejects(
      start({ settings: { no_such: '1' } }),
      refusedWith('EMBEDDED_POSTGRES_START', /no_such.*|server\.log/),
    );
  });

  test('an ordinary user runs the server as itself', { skip: !isRoot || !canBecomeNobody() }, async () => {
    const own = join(folder, 'own');
    await mkdir(own);
    execFileSync('chown', ['65534:65534', own]);
    dataDir = join(own, 'postgres');
    const asNobody = [
      'setpriv',
      '--reuid=65534',
      '--regid=65534',
      '--clear-groups',
      process.execPath,
      parentScript,
      dataDir,
    ];
    const { child, answer } = await startParent(asNobody, { PATH: '/usr/bin:/bin' });
    assert.deepEqual(await query(answer.url, 'SELECT 1 AS one'), [{ one: 1 }]);
    assert.equal(statSync(cluster()).uid, 65_534);
    await kill(child);
    const again = await startParent(asNobody, { PATH: '/usr/bin:/bin' });
    assert.equal(again.answer.adopted, true);
    again.child.stdin?.write('stop\n');
    await once(again.child, 'exit');
    assert.equal(isAlive(answer.pid), false);
  });

  /** A live process of the server's own account, the only kind that PostgreSQL would take for a rival. */
  async function startStranger(): Promise<number> {
    const account = isRoot ? { uid: 65_534, gid: 65_534 } : {};
    const child = spawn('/bin/sh', ['-c', 'read -r line'], {
      cwd: '/',
      stdio: ['pipe', 'ignore', 'ignore'],
      ...account,
    });
    await once(child, 'spawn');
    cleanups.push(() => child.kill('SIGKILL'));
    return child.pid!;
  }

  /** A process that has ended and whose parent does not ask how, as under a first process that collects nobody. */
  async function startUncollected(): Promise<number> {
    const account = isRoot ? { uid: 65_534, gid: 65_534 } : {};
    const parent = spawn('/bin/sh', ['-c', 'true & echo $!; exec sleep 600'], {
      cwd: '/',
      stdio: ['ignore', 'pipe', 'ignore'],
      ...account,
    });
    cleanups.push(() => parent.kill('SIGKILL'));
    const [line] = (await once(createInterface({ input: parent.stdout }), 'line')) as [string];
    const pid = Number(line);
    await until(async () => !isAlive(pid));
    return pid;
  }
});

/** Whether another account could run this Node and read this repository at all. */
function canBecomeNobody(): boolean {
  try {
    const become = ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, '-e', ''];
    execFileSync('setpriv', [...become], { stdio: 'ignore' });
    execFileSync('setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', 'cat', parentScript], {
      stdio: 'ignore',
    });
    return true;
  } catch {
    return false;
  }
}

/** As root the server's account has to get through. */
async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'ccx-embedded-'));
  await chmod(folder, 0o711);
  return folder;
}

/** Until `condition` holds without an error; the test's own time limit ends it otherwise. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition().catch(() => false))) await new Promise((resolve) => setImmediate(resolve));
}
