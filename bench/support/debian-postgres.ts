/**
 * The PostgreSQL that Debian packs, with its defaults: what a shared server of a hosted pipeline is like, and compiled with lz4. A cluster of its
 * own in a temporary folder, on a free port of 127.0.0.1; a watchdog ends it when the run is killed.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { chmod, chown, mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { freePorts } from '../../scripts/kafka/start-kafka.ts';
import { startWatchdog } from '../../scripts/kafka/watchdog.ts';
import { chooseServerUser } from '../../src/platform/database/embedded/server-user.ts';
import { until } from '../../test/support/until.ts';

const packagesFolder = '/usr/lib/postgresql';
const user = 'ccx';

export interface DebianServer {
  readonly url: string;
  stop(): Promise<void>;
}

/** Folder of the newest version's programs; undefined where none is installed. */
export function debianPrograms(): string | undefined {
  if (!existsSync(packagesFolder)) return undefined;
  const [newest] = readdirSync(packagesFolder).sort((a, b) => Number(b) - Number(a));
  const folder = join(packagesFolder, newest ?? '', 'bin');
  return existsSync(join(folder, 'initdb')) ? folder : undefined;
}

/** Rejects with what the server wrote when it does not start. */
export async function startDebianPostgres(programs: string): Promise<DebianServer> {
  const account = chooseServerUser(process.getuid?.());
  const as = account === undefined ? {} : { uid: account.uid, gid: account.gid };
  const folder = await mkdtemp(join(tmpdir(), 'ccx-debian-postgres-'));
  const log = await open(`${folder}.log`, 'w');
  const end = async () => {
    await log.close();
    await rm(folder, { recursive: true, force: true });
    await rm(`${folder}.log`, { force: true });
  };
  try {
    if (account !== undefined) await chown(folder, account.uid, account.gid);
    await chmod(folder, 0o700);
    const settings = { cwd: '/', env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' }, ...as };
    const initdb = [`--pgdata=${folder}`, `--username=${user}`, '--auth=trust', '--encoding=UTF8', '--locale=C.UTF-8'];
    await promisify(execFile)(join(programs, 'initdb'), initdb, settings);
    const [port = 0] = await freePorts(1);
    const flags = { listen_addresses: '127.0.0.1', port, unix_socket_directories: '', TimeZone: 'UTC' };
    const server = spawn(
      join(programs, 'postgres'),
      ['-D', folder, ...Object.entries(flags).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
      { ...settings, stdio: ['ignore', log.fd, log.fd], detached: true },
    );
    const watchdog = startWatchdog(folder);
    watchdog.guard(server);
    const url = `postgresql://${user}@127.0.0.1:${port}/postgres?sslmode=disable`;
    const stop = async () => {
      if (server.exitCode === null && server.signalCode === null) {
        const ended = once(server, 'exit');
        server.kill('SIGINT');
        await ended;
      }
      watchdog.dismiss();
      await end();
    };
    await until(async () => {
      if (server.exitCode !== null) throw new Error(await readFile(`${folder}.log`, 'utf8'));
      return await answers(url);
    });
    return { url, stop };
  } catch (error) {
    await end();
    throw error;
  }
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.end();
    return true;
  } catch {
    return false;
  }
}
