/**
 * Which database a tool (`ccx trace`, `ccx explain`, `ccx dead-letters`) looks at: one named by URL, or the embedded one of an all-in-one
 * installation that runs on a data folder. Used by the services' `commands.ts`.
 */

import { realpath } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { CcxError } from '../../encoding/ccx-error.ts';
import { readSecretFile } from '../config/lists-of-tables.ts';
import type { ProcessInput } from '../config/process-input.ts';
import { isAlive, readPostmasterFile, servesFolder } from './embedded/postmaster-file.ts';
import { EMBEDDED_USER, readPassword } from './embedded/prepare-folder.ts';
import { chooseServerUser, findClosedFolder } from './embedded/server-user.ts';

/** Name of the database on the embedded server. */
export const EMBEDDED_DATABASE_NAME = 'notification';
/** Folder of the embedded server below an installation's data folder. */
export const EMBEDDED_POSTGRES_FOLDER = 'postgres';

export function addDatabaseLocation(command: Command): Command {
  return command
    .option(
      '--database <url>',
      'PostgreSQL to look at, postgres://user:password@host/name (also CCX_DATABASE_URL, CCX_DATABASE_URL_FILE)',
    )
    .option('--data <dir>', `data folder of a running all-in-one installation (default ${defaultDataFolder()})`);
}

/** Resolves to the URL. Code `DATABASE_LOCATION` when nothing is named and no installation runs. */
export async function locateDatabase(command: Command, input: ProcessInput): Promise<string> {
  const { database, data } = command.opts<{ database?: string; data?: string }>();
  if (database !== undefined) return database;
  const fromEnvironment = data === undefined ? urlOfEnvironment(input) : '';
  if (fromEnvironment !== '') return fromEnvironment;
  const folder = data ?? defaultDataFolder();
  const url = await findRunningServer(join(folder, EMBEDDED_POSTGRES_FOLDER), EMBEDDED_DATABASE_NAME);
  if (url !== undefined) return url;
  throw new CcxError(`no all-in-one installation runs on the data folder ${folder}`, {
    code: 'DATABASE_LOCATION',
    category: 'configuration',
    hint: 'start it with ccx all-in-one --data DIR, name its folder with --data DIR, or name another database with --database URL',
  });
}

/** As the roles take it. Throws `CONFIG_SECRET_FILE`. */
function urlOfEnvironment({ env }: ProcessInput): string {
  const url = env['CCX_DATABASE_URL'] ?? '';
  const file = env['CCX_DATABASE_URL_FILE'] ?? '';
  return url !== '' || file === '' ? url : readSecretFile(file, 'CCX_DATABASE_URL_FILE');
}

/** URL of the server's database `name`, or undefined when no server runs on the folder. */
export async function findRunningServer(dataDir: string, name: string): Promise<string | undefined> {
  const cluster = await realpath(join(dataDir, 'cluster')).catch(() => undefined);
  if (cluster === undefined) return undefined;
  const file = await readPostmasterFile(cluster);
  if (file === undefined || !isAlive(file.pid) || !(await servesFolder(file.pid, cluster))) return undefined;
  const password = await readPassword(cluster);
  return `postgres://${EMBEDDED_USER}:${encodeURIComponent(password)}@127.0.0.1:${file.port}/${name}`;
}

/**
 * Where an all-in-one installation keeps its data when nobody says: `./data`. As root the embedded server runs as another account, which may
 * not enter root's home, where a clone often lies; then a system folder serves, so that the first command works there too. Absolute, and
 * the same for the same user and working folder, so that tools find what the runner made.
 */
export function defaultDataFolder(
  workingFolder: string = process.cwd(),
  uid: number | undefined = process.getuid?.(),
): string {
  const user = chooseServerUser(uid);
  if (user !== undefined && findClosedFolder(workingFolder, user) !== undefined) return '/var/lib/ccx-notifications';
  return resolve(workingFolder, './data');
}
