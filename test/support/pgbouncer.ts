/**
 * A real PgBouncer in transaction mode in front of the test's database server, for `*.pgbouncer.test.ts`: a pool of two server sessions, so
 * that clients really meet sessions of others. Where it is not installed the file is skipped and says so; with CCX_REQUIRE_PGBOUNCER=1 that
 * is a failure, so that a build cannot pass by leaving these tests out.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { freePorts } from '../../scripts/kafka/start-kafka.ts';
import { startWatchdog } from '../../scripts/kafka/watchdog.ts';
import { readProcessInput } from '../../src/platform/config/process-input.ts';
import { chooseServerUser } from '../../src/platform/database/embedded/server-user.ts';
import { assertKindMay } from './test-kinds.ts';

const { env } = readProcessInput();
/** Debian puts it where only root looks. */
const path = `${env['PATH'] ?? ''}:/usr/sbin:/usr/local/sbin`;
const missing = spawnSync('pgbouncer', ['--version'], { env: { PATH: path } }).status !== 0;

assertKindMay('use PgBouncer');
if (missing) {
  const reason = 'pgbouncer is not installed';
  if (env['CCX_REQUIRE_PGBOUNCER'] === '1') throw new Error(`${reason}, and CCX_REQUIRE_PGBOUNCER=1 wants it`);
  // Ends before the file's first test: there is nothing here that could be run.
  console.log(`skipped: ${reason}`);
  process.exit(0);
}

const serverSessions = 2;
const clientsMax = 300;
const startMsMax = 20_000;
const stops: (() => Promise<void>)[] = [];
after(async () => {
  for (const stop of stops) await stop();
});

/** The same database by way of a PgBouncer, which is stopped after the file's last test. `ignored`: start-up parameters that it drops. */
export async function startPgBouncer(databaseUrl: string, ignored = 'extra_float_digits,options'): Promise<string> {
  const server = new URL(databaseUrl);
  const folder = await mkdtemp(join(tmpdir(), 'ccx-test-pgbouncer-'));
  const [port = 0] = await freePorts(1);
  const user = chooseServerUser(process.getuid?.());
  const quoted = (text: string) => `"${decodeURIComponent(text).replaceAll('"', '""')}"`;
  await writeFile(join(folder, 'users.txt'), `${quoted(server.username)} ${quoted(server.password)}\n`);
  await writeFile(
    join(folder, 'pgbouncer.ini'),
    `[databases]
* = host=${server.hostname} port=${server.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${join(folder, 'users.txt')}
pool_mode = transaction
default_pool_size = ${serverSessions}
max_client_conn = ${clientsMax}
ignore_startup_parameters = ${ignored}
`,
  );
  if (user !== undefined) {
    // PgBouncer refuses to run as root.
    await chmod(folder, 0o711);
    for (const name of ['users.txt', 'pgbouncer.ini']) await chown(join(folder, name), user.uid, user.gid);
  }
  const watchdog = startWatchdog(folder);
  let log = '';
  const child: ChildProcess = spawn('pgbouncer', [join(folder, 'pgbouncer.ini')], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: path },
    ...(user === undefined ? {} : { uid: user.uid, gid: user.gid }),
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    log = `${log}${text}`.slice(-4_000);
  });
  watchdog.guard(child);
  const exited = once(child, 'exit');
  stops.push(async () => {
    if (child.exitCode === null) child.kill('SIGTERM');
    await exited;
    watchdog.dismiss();
    await rm(folder, { recursive: true, force: true });
  });
  const url = new URL(databaseUrl);
  url.port = String(port);
  url.hostname = '127.0.0.1';
  await accepting(url.href, () => log);
  return url.href;
}

async function accepting(url: string, log: () => string): Promise<void> {
  const deadline = performance.now() + startMsMax;
  for (;;) {
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.query('SELECT 1');
      return;
    } catch (cause) {
      if (performance.now() > deadline) throw new Error(`PgBouncer does not answer:\n${log()}`, { cause });
      await delay(50);
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}

/** Clients that take turns on the same pool until the returned function is called, so that hardly any statement meets the session of the one before. */
export async function startCrowd(url: string, clients: number): Promise<() => Promise<number>> {
  let stopped = false;
  const sessions = new Set<number>();
  const one = async () => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    while (!stopped) {
      await client.query('BEGIN');
      const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid, pg_sleep(0.002)');
      sessions.add(rows[0]!.pid);
      await client.query('COMMIT');
      await delay(100 * Math.random());
    }
    await client.end();
  };
  const all = Promise.all(Array.from({ length: clients }, one));
  return async () => {
    stopped = true;
    await all;
    return sessions.size;
  };
}
