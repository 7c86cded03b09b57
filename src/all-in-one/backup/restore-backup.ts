/**
 * Makes an installation of a backup again: in a data folder of its own, or its tables in a PostgreSQL of the operator's. Everything is
 * read and checked before anything is written. Called by `ccx restore`.
 */
import { chmod, readdir, realpath, rm, statfs } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { CcxError } from '../../encoding/ccx-error.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import { connectDatabase } from '../../platform/database/connect-database.ts';
import { EMBEDDED_DATABASE_NAME } from '../../platform/database/database-location.ts';
import {
  createDatabaseIfMissing,
  startEmbeddedPostgres,
} from '../../platform/database/embedded/start-embedded-postgres.ts';
import { makeFolders } from '../../platform/files/make-folders.ts';
import { type Installation, readInstallation, writeInstallation } from '../../platform/lifecycle/installation-file.ts';
import type { Lifecycle } from '../../platform/lifecycle/lifecycle.ts';
import type { ByWhom } from '../../platform/records/audit.ts';
import { dataFolderAt } from '../config.ts';
import { runsOn } from '../remember-installation.ts';
import {
  BACKUP_FILES,
  type BackupContents,
  type BackupProgress,
  inMegabytes,
  readBackup,
  spareBytesMin,
  syncFolder,
  verifyBackup,
} from './backup-folder.ts';
import { putFilesBack } from './copy-files.ts';
import { loadDatabase, requireEmpty, requireKnown } from './load-database.ts';

/** An empty cluster, and the log of PostgreSQL while rows are loaded. */
const serverBytes = 1024 ** 3;

interface RestoreOptions {
  readonly backup: string;
  /** Somebody has said that the original does not run and will not. */
  readonly originalIsGone: boolean;
  readonly byWhom: ByWhom;
  readonly clock: Clock;
  readonly lifecycle: Lifecycle;
  readonly signal: AbortSignal;
  readonly progress: BackupProgress;
}

export interface Restored {
  readonly contents: BackupContents;
  /** Tables that are none of ours. */
  readonly left: readonly string[];
}

/** Reads all of it, writes nothing. Codes: those of reading, `BACKUP_NEWER`, `BACKUP_DAMAGED`. */
export async function checkBackup({
  backup,
  progress,
  signal,
}: Pick<RestoreOptions, 'backup' | 'progress' | 'signal'>): Promise<BackupContents> {
  const contents = await readBackup(backup);
  await requireKnown(contents);
  const all = contents.files.reduce((sum, { bytes }) => sum + bytes, 0);
  progress.step(`checking ${contents.files.length} files, ${inMegabytes(all)}`);
  let done = 0;
  await verifyBackup(backup, contents, {
    signal,
    onBytes(bytes) {
      done += bytes;
      progress.part(`${inMegabytes(done)} of ${inMegabytes(all)} checked`);
    },
  });
  return contents;
}

/**
 * Into a folder that is empty or not there. Where it rejects, nothing is left; where it is killed, what is left refuses to start. Codes:
 * those of `checkBackup`, `RESTORE_TARGET`, `RESTORE_SPACE`, `INSTALLATION_ORIGINAL_RUNS`, and those of the embedded server.
 */
export async function restoreFolder(options: RestoreOptions & { readonly data: string }): Promise<Restored> {
  const { clock, progress, originalIsGone } = options;
  const target = await prepareTarget(options.data);
  try {
    const contents = await checkBackup(options);
    if (originalIsGone) await requireStopped(contents);
    await requireSpace(target.folder, contents);
    const installation: Installation = { id: clock.uuid(), host: hostname(), folder: target.folder };
    const restored = { from: contents.original, taken_at: contents.taken_at };
    await writeInstallation(target.folder, { ...installation, restored: { ...restored, state: 'unfinished' } });
    const left = await restoreCluster(target.folder, contents, options);
    const files = contents.files
      .filter(({ path }) => path.startsWith(`${BACKUP_FILES}/`))
      .map((file) => ({ ...file, path: file.path.slice(BACKUP_FILES.length + 1) }));
    progress.step(`putting back ${files.length} files`);
    await putFilesBack(files, { ...options, from: join(options.backup, BACKUP_FILES), to: target.folder });
    const state = originalIsGone ? 'confirmed' : 'unconfirmed';
    await writeInstallation(target.folder, { ...installation, restored: { ...restored, state } });
    await syncFolder(dirname(target.folder)).catch(() => undefined);
    return { contents, left };
  } catch (error) {
    await options.lifecycle.stop();
    await target.empty();
    throw error;
  }
}

/** Tables only, into an empty database. Codes: those of `checkBackup`, `RESTORE_ORIGINAL`, `RESTORE_DATABASE_USED`. */
export async function restoreDatabase(options: RestoreOptions & { readonly database: string }): Promise<Restored> {
  if (!options.originalIsGone) {
    throw new CcxError('roles on this database would tell everybody what the original tells', {
      ...{ code: 'RESTORE_ORIGINAL', category: 'configuration' },
      hint: 'make sure that the original is stopped and will not start again, then add --original-is-gone',
    });
  }
  const contents = await checkBackup(options);
  await requireStopped(contents);
  const database = connectDatabase({ url: options.database, applicationName: 'ccx restore', clock: options.clock });
  try {
    await database.check();
    await requireEmpty(database);
    const left = await loadDatabase(database, { ...options, ...options.progress, folder: options.backup, contents });
    return { contents, left };
  } finally {
    await database.close();
  }
}

async function restoreCluster(
  folder: string,
  contents: BackupContents,
  options: RestoreOptions,
): Promise<readonly string[]> {
  const { clock, lifecycle, progress } = options;
  progress.step('starting an empty PostgreSQL');
  const server = await startEmbeddedPostgres({ dataDir: dataFolderAt(folder).postgres, clock });
  lifecycle.defer('PostgreSQL', () => server.stop());
  const url = await createDatabaseIfMissing(server.url, EMBEDDED_DATABASE_NAME);
  const database = connectDatabase({ url, applicationName: 'ccx restore', clock });
  try {
    return await loadDatabase(database, { ...options, ...progress, folder: options.backup, contents });
  } finally {
    await database.close();
    await server.stop();
  }
}

/** The flag says it is gone; where it can be seen that it is not, the flag does not count. */
async function requireStopped({ original }: BackupContents): Promise<void> {
  if (original.host !== hostname() || !(await runsOn(original.folder))) return;
  throw new CcxError(`the original runs, in ${original.folder} on this machine: both would tell everybody everything`, {
    ...{ code: 'INSTALLATION_ORIGINAL_RUNS', category: 'configuration' },
    hint: 'stop it for good first, or restore without --original-is-gone and look at the copy without starting it',
  });
}

async function prepareTarget(path: string): Promise<{ readonly folder: string; empty(): Promise<void> }> {
  const wanted = resolve(path);
  // A file system of its own has this folder from the beginning.
  const isOurs = (name: string) => name !== 'lost+found';
  try {
    const entries = await readdir(wanted).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
      return undefined;
    });
    if (entries?.some(isOurs) === true) throw await notEmpty(wanted);
    const made = entries === undefined ? await makeFolders(wanted) : undefined;
    // As root PostgreSQL runs as another account, which passes through.
    if (made !== undefined) await chmod(wanted, process.getuid?.() === 0 ? 0o711 : 0o700);
    const folder = await realpath(wanted);
    return {
      folder,
      async empty() {
        if (made !== undefined) return void (await rm(made, { recursive: true, force: true }).catch(() => undefined));
        for (const name of (await readdir(folder).catch(() => [])).filter(isOurs))
          await rm(join(folder, name), { recursive: true, force: true }).catch(() => undefined);
      },
    };
  } catch (cause) {
    if (cause instanceof CcxError) throw cause;
    throw new CcxError(`${wanted} cannot be used`, {
      ...{ code: 'RESTORE_TARGET', category: 'configuration', cause },
      hint: 'name a folder with --data that you may write',
    });
  }
}

async function notEmpty(folder: string): Promise<CcxError> {
  const there = await readInstallation(folder).catch(() => undefined);
  const unfinished = there?.restored?.state === 'unfinished';
  return new CcxError(`${folder} is not empty${unfinished ? ': an earlier restore into it was interrupted' : ''}`, {
    ...{ code: 'RESTORE_TARGET', category: 'configuration' },
    hint: unfinished ? 'remove the folder, then try again' : 'name a folder with --data that is empty or not there yet',
  });
}

/** The tables as they were, and what their loading leaves in PostgreSQL's log. */
async function requireSpace(folder: string, { files, database_bytes }: BackupContents): Promise<void> {
  const copied = files.filter(({ path }) => path.startsWith(`${BACKUP_FILES}/`));
  const needed = copied.reduce((sum, { bytes }) => sum + bytes, database_bytes + serverBytes + spareBytesMin);
  const disk = await statfs(folder);
  const free = disk.bavail * disk.bsize;
  if (free >= needed) return;
  throw new CcxError(`${folder} has ${inMegabytes(free)} left, and the restored data may take ${inMegabytes(needed)}`, {
    ...{ code: 'RESTORE_SPACE', category: 'configuration' },
    hint: 'make room, or name a folder on a larger disk',
  });
}
