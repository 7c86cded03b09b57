/**
 * Takes a backup of an all-in-one, beside it while it runs or of one that is stopped: every table as it was at one moment, and the files
 * that belong to it. Called by `ccx backup`.
 *
 * The order matters. An announcement leaves the outbox once the bus, which is tables, has it; so the outbox is copied right before the
 * moment, and what has come into it right behind. An archive is stored before it is announced, and what the stand-ins have received is
 * kept before its position is committed: both are copied behind the moment.
 */
import { chmod, mkdir, readdir, realpath, rm, stat, statfs } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { CcxError } from '../../encoding/ccx-error.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import { readVersion } from '../../platform/config/version.ts';
import { connectDatabase } from '../../platform/database/connect-database.ts';
import { EMBEDDED_DATABASE_NAME, findRunningServer } from '../../platform/database/database-location.ts';
import {
  createDatabaseIfMissing,
  startEmbeddedPostgres,
} from '../../platform/database/embedded/start-embedded-postgres.ts';
import { makeFolders } from '../../platform/files/make-folders.ts';
import { readInstallation } from '../../platform/lifecycle/installation-file.ts';
import type { Lifecycle } from '../../platform/lifecycle/lifecycle.ts';
import { placeOfKey } from '../../platform/objects/directory/file-name.ts';
import { INGRESS_PREFIX, isReservedKey, OUTBOX_PREFIX } from '../../platform/objects/object-store.ts';
import { dataFolderAt } from '../config.ts';
import {
  BACKUP_FILES,
  BACKUP_FORMAT,
  BACKUP_TABLES,
  type BackupContents,
  type BackupFile,
  type BackupProgress,
  finish,
  inMegabytes,
  markUnfinished,
  spareBytesMin,
  syncFolder,
  verifyBackup,
} from './backup-folder.ts';
import { FileCopier, filesBelow, sizeOf } from './copy-files.ts';
import { dumpTable, readShape, type Snapshot, withSnapshot } from './snapshot.ts';
import { archivesOfKept, waitingArchives } from './waiting-archives.ts';

const objectsFolder = 'objects';
/** What the directory store has not finished. */
const unfinishedObjects = join(objectsFolder, '.unfinished');

interface BackupOptions {
  readonly target: string;
  readonly data: string;
  /** Also archives that nobody will ask for any more. */
  readonly allArchives: boolean;
  readonly clock: Clock;
  readonly lifecycle: Lifecycle;
  readonly signal: AbortSignal;
  readonly progress: BackupProgress;
}

interface TakenBackup {
  readonly folder: string;
  readonly contents: BackupContents;
  readonly bytes: number;
  readonly archives: number;
}

/**
 * Checked when it resolves; when it rejects, nothing is left of it. Codes: `BACKUP_TARGET`, `BACKUP_NO_DATA`, `BACKUP_SPACE`,
 * `BACKUP_TABLES_MOVE`, `BACKUP_DAMAGED`, and those of the embedded server.
 */
export async function takeBackup(options: BackupOptions): Promise<TakenBackup> {
  const { clock, progress, signal } = options;
  const data = await findData(options.data);
  const target = await prepareTarget(options.target, data);
  try {
    await markUnfinished(target.folder);
    const url = await openServer(data, options);
    const database = connectDatabase({ url, applicationName: 'ccx backup', clock, connectionsMax: 2 });
    const copier = new FileCopier(data, join(target.folder, BACKUP_FILES), signal);
    const original = { id: (await readInstallation(data))?.id ?? null, host: hostname(), folder: data };
    let takenAt = clock.now();
    const taken = await withSnapshot(database, {
      signal,
      async before() {
        takenAt = clock.now();
        for (const path of await outboxOf(data)) await copier.copy(path);
      },
      async work(snapshot) {
        for (const path of [...(await outboxOf(data)), ...(await setAsideIn(data))]) await copier.copy(path);
        const kept = copier.copied.map(({ path }) => join(target.folder, BACKUP_FILES, path));
        const waiting = options.allArchives
          ? undefined
          : namesOf([...(await waitingArchives(snapshot.tx)), ...(await archivesOfKept(kept))]);
        const { paths, archives } = await pathsToCopy(data, waiting);
        await requireSpace(target.folder, snapshot, { data, paths });
        // Before the tables, which hold still: retention may come for archives.
        progress.step(`copying ${paths.length} files`);
        for (const [index, path] of paths.entries()) {
          await copier.copy(path);
          progress.part(`${index + 1} of ${paths.length} files`);
        }
        const tables = await dumpTables(snapshot, target.folder, options);
        return { ...tables, shape: await readShape(snapshot), archives };
      },
    }).finally(() => database.close());
    await copier.sync();
    const copied = copier.copied.map((file): BackupFile => ({ ...file, path: `${BACKUP_FILES}/${file.path}` }));
    const contents: BackupContents = {
      ...{ format: BACKUP_FORMAT, version: readVersion(), taken_at: takenAt.toISOString(), original },
      ...taken.shape,
      tables: taken.tables,
      files: [...taken.files, ...copied],
    };
    progress.step('checking what was written');
    await verifyBackup(target.folder, contents, { signal });
    await finish(target.folder, contents);
    await syncFolder(dirname(target.folder));
    const bytes = contents.files.reduce((sum, file) => sum + file.bytes, 0);
    return { folder: target.folder, contents, bytes, archives: taken.archives };
  } catch (error) {
    await target.empty();
    throw error;
  }
}

/** The data folder, without symlinks. */
async function findData(path: string): Promise<string> {
  const folder = await realpath(path).catch(() => undefined);
  const cluster = folder === undefined ? undefined : join(dataFolderAt(folder).postgres, 'cluster');
  if (folder === undefined || cluster === undefined || (await stat(cluster).catch(() => undefined)) === undefined) {
    throw new CcxError(`there is no all-in-one with a PostgreSQL of its own in ${resolve(path)}`, {
      ...{ code: 'BACKUP_NO_DATA', category: 'configuration' },
      hint: 'name its folder with --data DIR; a PostgreSQL of your own (--database) is backed up with pg_dump, see docs/operations.md',
    });
  }
  return folder;
}

interface Target {
  readonly folder: string;
  /** Takes away what was written, and the folder where it was made here. */
  empty(): Promise<void>;
}

async function prepareTarget(path: string, data: string): Promise<Target> {
  const wanted = resolve(path);
  const folder = join(await realpath(await nearestFolder(wanted)), relative(await nearestFolder(wanted), wanted));
  const below = relative(data, folder);
  if (below === '' || !(below === '..' || below.startsWith('../'))) {
    throw targetError(`${folder} lies in the data folder ${data}`, 'name a folder on another disk, or beside it');
  }
  let made: string | undefined;
  try {
    const entries = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
    if (entries !== undefined && entries.length > 0) {
      throw targetError(`${folder} is not empty`, 'name a new folder, such as backups/$(date +%F)');
    }
    made = await makeFolders(folder, 0o700);
    await chmod(folder, 0o700);
    for (const name of [BACKUP_TABLES, BACKUP_FILES]) await mkdir(join(folder, name), { mode: 0o700 });
  } catch (cause) {
    if (cause instanceof CcxError) throw cause;
    throw targetError(`${folder} cannot be used`, 'name a folder that you may write', cause);
  }
  return {
    folder,
    async empty() {
      // Whatever went wrong is what the person reads; what a full or broken disk keeps is marked as unfinished.
      if (made !== undefined) return void (await rm(made, { recursive: true, force: true }).catch(() => undefined));
      for (const name of await readdir(folder).catch(() => []))
        await rm(join(folder, name), { recursive: true, force: true }).catch(() => undefined);
    },
  };
}

async function nearestFolder(path: string): Promise<string> {
  const there = await stat(path).catch(() => undefined);
  return there !== undefined || dirname(path) === path ? path : nearestFolder(dirname(path));
}

function targetError(message: string, hint: string, cause?: unknown): CcxError {
  return new CcxError(message, { code: 'BACKUP_TARGET', category: 'configuration', hint, cause });
}

/** The server of an installation that runs, else one that is started for this. */
async function openServer(data: string, { clock, lifecycle, progress }: BackupOptions): Promise<string> {
  const dataDir = dataFolderAt(data).postgres;
  const running = await findRunningServer(dataDir, EMBEDDED_DATABASE_NAME);
  if (running !== undefined) return running;
  progress.step('the installation does not run; starting its PostgreSQL');
  const server = await startEmbeddedPostgres({ dataDir, clock });
  lifecycle.defer('PostgreSQL', () => server.stop());
  return createDatabaseIfMissing(server.url, EMBEDDED_DATABASE_NAME);
}

function outboxOf(data: string): Promise<string[]> {
  return filesBelow(data, join(objectsFolder, OUTBOX_PREFIX.slice(0, -1)));
}

/** Announcements that the bus would not take. */
async function setAsideIn(data: string): Promise<string[]> {
  const folder = join(objectsFolder, INGRESS_PREFIX.slice(0, -1));
  return (await filesBelow(data, folder)).filter((path) => basename(path).startsWith('unsendable'));
}

/** Everything but PostgreSQL's own, what is not finished, and archives whose files are not `waiting`. Relative to the data folder. */
async function pathsToCopy(
  data: string,
  waiting: ReadonlySet<string> | undefined,
): Promise<{ readonly paths: readonly string[]; readonly archives: number }> {
  const folders = dataFolderAt(data);
  const left = [relative(data, folders.postgres), 'installation.json', unfinishedObjects];
  const isArchive = (path: string) => dirname(path) === objectsFolder;
  const all = await filesBelow(data, '', (path) => !left.includes(path));
  const isWanted = (path: string) => !isArchive(path) || waiting === undefined || waiting.has(basename(path));
  // Once the archives are there, what ingress has to say about them may come.
  const paths = all.filter(isWanted).sort((a, b) => Number(isArchive(b)) - Number(isArchive(a)));
  return { paths, archives: paths.filter((path) => isArchive(path) && !path.endsWith('.meta')).length };
}

/** Of the files of these archives. */
function namesOf(keys: readonly string[]): ReadonlySet<string> {
  const archives = keys.filter((key) => !isReservedKey(key));
  return new Set(archives.map((key) => placeOfKey(key).name).flatMap((name) => [name, `${name}.meta`]));
}

/** Text is no larger compressed than rows are on a disk. */
async function requireSpace(
  folder: string,
  { tables }: Snapshot,
  files: { readonly data: string; readonly paths: readonly string[] },
): Promise<void> {
  let needed = spareBytesMin;
  for (const { bytes } of tables) needed += bytes;
  for (const path of files.paths) needed += await sizeOf(join(files.data, path));
  const disk = await statfs(folder);
  const free = disk.bavail * disk.bsize;
  if (free >= needed) return;
  throw new CcxError(`${folder} has ${inMegabytes(free)} left, and the backup may take ${inMegabytes(needed)}`, {
    ...{ code: 'BACKUP_SPACE', category: 'configuration' },
    hint: 'make room, or name a folder on a larger disk',
  });
}

async function dumpTables(
  snapshot: Snapshot,
  folder: string,
  { progress, signal }: BackupOptions,
): Promise<{ readonly tables: BackupContents['tables']; readonly files: BackupFile[] }> {
  const tables: BackupContents['tables'] = [];
  const files: BackupFile[] = [];
  progress.step(`reading ${snapshot.tables.length} tables`);
  let done = 0;
  const onBytes = (bytes: number) => {
    done += bytes;
    progress.part(`${tables.length} of ${snapshot.tables.length} tables, ${inMegabytes(done)} written`);
  };
  for (const table of snapshot.tables) {
    const { schema, name, columns } = table;
    const file = `${BACKUP_TABLES}/${schema}.${encodeURIComponent(name)}.copy.zst`;
    const { rows, bytes, sha256 } = await dumpTable(snapshot, table, { path: join(folder, file), signal, onBytes });
    tables.push({ schema, name, columns: [...columns], rows, file });
    files.push({ path: file, bytes, sha256 });
  }
  await syncFolder(join(folder, BACKUP_TABLES));
  return { tables, files };
}
