/**
 * The data folder of the embedded server: created with initdb into a folder beside it and renamed when it is whole, so that a killed
 * first start leaves nothing that looks finished. The password of the only user lies inside it (mode 0600). Called by the launcher.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  access,
  chmod,
  chown,
  constants,
  mkdir,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { CcxError } from '../../../encoding/ccx-error.ts';
import type { Clock } from '../../clock/clock.ts';
import { makeFolders } from '../../files/make-folders.ts';
import type { PostgresBinaries } from './binaries.ts';
import { findClosedFolder, type ServerUser } from './server-user.ts';

/** A half-initialised folder older than this was left by a start that was killed; initdb takes a second. */
export const embeddedLeftoverMsMin = 10 * 60_000;

/** The only role of the server, a superuser of its own small world. */
export const EMBEDDED_USER = 'ccx';
const passwordFile = 'ccx-password';
const initialising = 'initialising-';

export interface PreparedFolder {
  /** What PostgreSQL calls PGDATA, with symlinks resolved. */
  readonly cluster: string;
  readonly password: string;
}

interface PrepareFolderOptions {
  readonly dataDir: string;
  readonly binaries: PostgresBinaries;
  readonly user: ServerUser | undefined;
  readonly clock: Clock;
  /** False leaves the new folder to the operating system's own time of writing. */
  readonly sync: boolean;
}

/** The programs run in an environment of their own: a foreign LANG, PGDATA or LD_PRELOAD must not change what they do. */
export const serverEnvironment: Readonly<Record<string, string>> = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LC_ALL: 'C',
  TZ: 'UTC',
};

/** Codes: `EMBEDDED_POSTGRES_FOLDER`, `EMBEDDED_POSTGRES_VERSION`, `EMBEDDED_POSTGRES_INIT`. */
export async function prepareFolder(options: PrepareFolderOptions): Promise<PreparedFolder> {
  const dataDir = await makeReachable(options.dataDir, options.user);
  const cluster = join(dataDir, 'cluster');
  await removeLeftovers(dataDir, options.clock.now());
  if ((await stat(cluster).catch(() => undefined)) === undefined) await initialise(dataDir, cluster, options);
  await checkVersion(cluster, options.binaries.majorVersion);
  return { cluster, password: await readPassword(cluster) };
}

/** Creates the folder and makes sure that the account that runs the server gets there. */
async function makeReachable(dataDir: string, user: ServerUser | undefined): Promise<string> {
  let folder: string;
  try {
    // Root keeps the folders; the server's account only passes through them to its own folder inside.
    const firstCreated = await makeFolders(dataDir, user === undefined ? 0o700 : 0o711);
    folder = await realpath(dataDir);
    // Again, because a strict umask takes the right to pass away.
    if (firstCreated !== undefined && user !== undefined) await openForPassage(folder, await realpath(firstCreated));
  } catch (cause) {
    throw folderError(`the data folder ${dataDir} cannot be created`, cause);
  }
  await access(folder, constants.W_OK).catch((cause: unknown) => {
    throw folderError(`the data folder ${dataDir} cannot be written`, cause);
  });
  if (user === undefined) return folder;
  const closed = findClosedFolder(folder, user);
  if (closed !== undefined) {
    throw new CcxError(`the embedded PostgreSQL runs as user "${user.name}", who may not enter ${closed}`, {
      code: 'EMBEDDED_POSTGRES_FOLDER',
      category: 'configuration',
      hint: `choose a folder with --data that this user can reach (such as /var/lib/ccx-notifications), or: chmod o+x ${closed}`,
    });
  }
  return folder;
}

async function openForPassage(folder: string, firstCreated: string): Promise<void> {
  for (let current = folder; ; current = dirname(current)) {
    await chmod(current, 0o711);
    if (current === firstCreated) break;
  }
}

function folderError(message: string, cause: unknown): CcxError {
  return new CcxError(message, {
    code: 'EMBEDDED_POSTGRES_FOLDER',
    category: 'configuration',
    cause,
    hint: 'choose another folder with --data, or make this one belong to the user that runs the program',
  });
}

async function initialise(dataDir: string, cluster: string, options: PrepareFolderOptions): Promise<void> {
  const { user } = options;
  const fresh = join(dataDir, `${initialising}${options.clock.uuid()}`);
  const password = randomBytes(24).toString('base64url');
  const passwordPath = join(dataDir, `${initialising}${options.clock.uuid()}.password`);
  try {
    await mkdir(fresh, { mode: 0o700 });
    await writeFile(passwordPath, `${password}\n`, { mode: 0o600, flag: 'wx' });
    if (user !== undefined) {
      await chown(fresh, user.uid, user.gid);
      await chown(passwordPath, user.uid, user.gid);
    }
    await runInitdb(options, fresh, passwordPath);
    await rename(passwordPath, join(fresh, passwordFile));
    await rename(fresh, cluster);
  } catch (error) {
    // Somebody else may have finished the same folder first; then theirs is used and ours goes.
    if ((await stat(join(cluster, 'PG_VERSION')).catch(() => undefined)) === undefined) throw initError(error);
  } finally {
    await rm(fresh, { recursive: true, force: true });
    await rm(passwordPath, { force: true });
  }
}

/** What a killed first start left behind. Young ones stay: another process may be initialising the same folder right now. */
async function removeLeftovers(dataDir: string, now: Date): Promise<void> {
  for (const name of await readdir(dataDir)) {
    if (!name.startsWith(initialising)) continue;
    const path = join(dataDir, name);
    const changed = await stat(path).catch(() => undefined);
    if (changed !== undefined && now.getTime() - changed.mtimeMs > embeddedLeftoverMsMin) {
      await rm(path, { recursive: true, force: true });
    }
  }
}

async function runInitdb(
  { binaries, user, sync }: PrepareFolderOptions,
  folder: string,
  passwordPath: string,
): Promise<void> {
  const flags = ['-E', 'UTF8', '--locale=C', '-A', 'scram-sha-256', '-U', EMBEDDED_USER, `--pwfile=${passwordPath}`];
  await promisify(execFile)(
    binaries.initdb,
    ['-D', folder, ...flags, '--no-instructions', ...(sync ? [] : ['--no-sync'])],
    {
      cwd: folder,
      env: serverEnvironment,
      ...(user === undefined ? {} : { uid: user.uid, gid: user.gid }),
    },
  );
}

function initError(cause: unknown): CcxError {
  if (cause instanceof CcxError) return cause;
  const text = `${(cause as { stderr?: string }).stderr ?? ''}${cause instanceof Error ? cause.message : ''}`;
  const noEntry = /could not look up effective user ID/.test(text);
  return new CcxError('the data folder of the embedded PostgreSQL could not be initialised', {
    code: 'EMBEDDED_POSTGRES_INIT',
    category: 'storage',
    cause,
    hint: noEntry
      ? 'the current user id has no entry in /etc/passwd, which PostgreSQL needs: add one, or use a server of your own with --database'
      : 'check space and rights of the folder given with --data, or use a server of your own with --database',
  });
}

async function checkVersion(cluster: string, majorVersion: string): Promise<void> {
  const found = (await readFile(join(cluster, 'PG_VERSION'), 'utf8').catch(() => '')).trim();
  if (found === majorVersion) return;
  if (found === '') {
    throw new CcxError(`${cluster} is not a data folder that this user can use`, {
      code: 'EMBEDDED_POSTGRES_FOLDER',
      category: 'configuration',
      hint: 'choose another folder with --data, or run as the user that created this one',
    });
  }
  throw new CcxError(
    `the data in ${cluster} was written by PostgreSQL ${found}; this program brings PostgreSQL ${majorVersion}`,
    {
      code: 'EMBEDDED_POSTGRES_VERSION',
      category: 'configuration',
      hint: `back it up with the release that wrote it (ccx backup) and restore that with this one into a new folder (ccx restore); or choose another folder with --data`,
    },
  );
}

/** The password of `EMBEDDED_USER`; only the folder's owner may read it. Code: `EMBEDDED_POSTGRES_FOLDER`. */
export async function readPassword(cluster: string): Promise<string> {
  try {
    return (await readFile(join(cluster, passwordFile), 'utf8')).trim();
  } catch (cause) {
    throw folderError(`${join(cluster, passwordFile)} cannot be read`, cause);
  }
}
