/**
 * A PostgreSQL server by the programs of the system (`initdb`, `postgres`, `pg_basebackup`), Debian's for instance, in a folder of its own and on
 * a free port of 127.0.0.1: beside the embedded one, which is another major version, and with what that one lacks. CCX_TEST_POSTGRES_BIN
 * names the folder of the programs; else Debian's newest is taken.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync } from 'node:fs';
import { appendFile, chmod, chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { freePorts } from '../../scripts/kafka/start-kafka.ts';
import { startWatchdog } from '../../scripts/kafka/watchdog.ts';
import { readProcessInput } from '../../src/platform/config/process-input.ts';
import { chooseServerUser } from '../../src/platform/database/embedded/server-user.ts';

/** Only a failing start takes so long. */
const readyMsMax = 60_000;
const user = 'ccx';
const password = 'password-of-the-test';

/** Folder of the programs; undefined where there are none. */
export function systemPostgresPrograms(): string | undefined {
  const { env } = readProcessInput();
  const given = env['CCX_TEST_POSTGRES_BIN'] ?? '';
  if (given !== '') return given;
  const major = (path: string) => Number(path.split('/').at(-2));
  const found = globSync('/usr/lib/postgresql/*/bin').filter((path) => existsSync(join(path, 'initdb')));
  return found.sort((a, b) => major(b) - major(a))[0];
}

/** False where it can be started, as tests take it; with CCX_REQUIRE_SYSTEM_PG=1 its absence is a failure. */
export function whyNoSystemPostgres(): string | false {
  if (systemPostgresPrograms() !== undefined) return false;
  const reason = 'no PostgreSQL of the system, such as the package postgresql-15';
  if (readProcessInput().env['CCX_REQUIRE_SYSTEM_PG'] === '1')
    throw new Error(`${reason}, and CCX_REQUIRE_SYSTEM_PG=1 wants it`);
  return reason;
}

export interface SystemPostgres {
  /** To the maintenance database, as a superuser. */
  readonly url: string;
  readonly port: number;
  /** Below it lies the cluster, `data`. */
  readonly folder: string;
  readonly log: () => string;
  /** SIGKILL of all its processes, or a stop that ends every session. */
  end(how: 'killed' | 'stopped'): Promise<void>;
  /** After `end`: on the same folder and port. */
  start(): Promise<void>;
  /** Server settings beside those of the start; in force after `reload` or a start. */
  configure(settings: Readonly<Record<string, string>>): Promise<void>;
  /** Reads settings, passwords files and pg_hba.conf again. */
  reload(): void;
  /** Ends it and removes its folder. */
  remove(): Promise<void>;
}

export interface SystemPostgresOptions {
  readonly settings?: Readonly<Record<string, string>>;
  /** The folder to put its own into; the temporary one by default. */
  readonly parent?: string;
  /** Follows this server, from a copy of it that is made now. */
  readonly standbyOf?: SystemPostgres;
}

export async function startSystemPostgres(options: SystemPostgresOptions = {}): Promise<SystemPostgres> {
  const programs = systemPostgresPrograms();
  if (programs === undefined) throw new Error('no PostgreSQL of the system');
  const account = chooseServerUser(process.getuid?.());
  const identity = account === undefined ? {} : { uid: account.uid, gid: account.gid };
  const folder = await mkdtemp(join(options.parent ?? tmpdir(), 'ccx-system-postgres-'));
  const data = join(folder, 'data');
  const [port = 0] = await freePorts(1);
  const watchdog = startWatchdog(folder);
  let log = '';
  let child: ChildProcess | undefined;
  const program = (name: string, ...args: string[]) =>
    execFileSync(join(programs, name), args, {
      ...identity,
      cwd: folder,
      env: { PGPASSWORD: password, TZ: 'UTC' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });

  const start = async () => {
    const started = spawn(join(programs, 'postgres'), ['-D', data], {
      ...identity,
      cwd: folder,
      detached: true,
      env: { TZ: 'UTC' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    child = started;
    watchdog.guard(started);
    started.stderr.setEncoding('utf8').on('data', (text: string) => {
      log = `${log}${text}`.slice(-20_000);
    });
    const deadline = performance.now() + readyMsMax;
    while (!(await answers(url))) {
      const ended = started.exitCode !== null || started.signalCode !== null;
      if (ended || performance.now() > deadline) throw new Error(`PostgreSQL does not start:\n${log}`);
      await delay(20);
    }
  };
  const end = async (how: 'killed' | 'stopped') => {
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    if (how === 'killed') process.kill(-child.pid, 'SIGKILL');
    else child.kill('SIGINT');
    await exited;
  };
  const url = `postgres://${user}:${password}@127.0.0.1:${port}/postgres?sslmode=disable`;
  const server: SystemPostgres = {
    ...{ url, port, folder, end, start, log: () => log },
    configure: (settings) =>
      appendFile(
        join(data, 'postgresql.conf'),
        Object.entries(settings)
          .map(([name, value]) => `${name} = '${value}'\n`)
          .join(''),
      ),
    reload: () => void child?.kill('SIGHUP'),
    async remove() {
      await end('killed');
      watchdog.dismiss();
      await rm(folder, { recursive: true, force: true });
    },
  };
  try {
    // As root the server runs as another account, which has to get in.
    await chmod(folder, 0o711);
    await mkdir(data, { mode: 0o700 });
    if (account !== undefined) for (const path of [folder, data]) await chown(path, account.uid, account.gid);
    if (options.standbyOf === undefined) {
      const passwordFile = join(folder, 'password');
      await writeFile(passwordFile, password, { mode: 0o644 });
      const how = ['-E', 'UTF8', '--locale=C', '-A', 'scram-sha-256', '--no-sync', '--no-instructions'];
      program('initdb', '-D', data, '-U', user, ...how, `--pwfile=${passwordFile}`);
    } else {
      const from = ['-h', '127.0.0.1', '-p', String(options.standbyOf.port), '-U', user];
      program('pg_basebackup', '-D', data, ...from, '--wal-method=stream', '--checkpoint=fast', '--no-sync', '-R');
    }
    await server.configure({
      port: String(port),
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      ...options.settings,
    });
    await start();
    return server;
  } catch (error) {
    await server.remove();
    throw error;
  }
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('SELECT 1');
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Who it is, such as `15.18 (Debian 15.18-0+deb12u1)`. */
export async function serverVersion(url: string): Promise<string> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ version: string }>(`SELECT current_setting('server_version') AS version`);
    return rows[0]!.version;
  } finally {
    await client.end();
  }
}
