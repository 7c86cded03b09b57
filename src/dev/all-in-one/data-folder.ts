/**
 * The folder that holds everything an all-in-one installation keeps: PostgreSQL's data, archives, receivers' logs. One process at a time
 * owns it; a lock file with the owner's process id and start time tells a running owner from the remains of a crash.
 */
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { CcxError } from '../../contracts/ccx-error.ts';

export interface DataFolder {
  readonly root: string;
  readonly postgres: string;
  readonly objects: string;
  readonly receivers: string;
  /** True when this call made the folder's content: nothing was here before. */
  readonly isNew: boolean;
  release(): void;
}

const lockName = 'all-in-one.lock';

/** Creates the folder where it is missing and takes its lock. Codes: `DATA_FOLDER_IN_USE`, `DATA_FOLDER_UNUSABLE`. */
export function openDataFolder(path: string): DataFolder {
  const root = resolve(path);
  const lock = join(root, lockName);
  try {
    mkdirSync(root, { recursive: true, mode: 0o755 });
    takeLock(lock, root);
  } catch (cause) {
    if (cause instanceof CcxError) throw cause;
    throw new CcxError(`the data folder ${root} cannot be used`, {
      code: 'DATA_FOLDER_UNUSABLE',
      category: 'configuration',
      cause,
      hint: 'choose a folder that this user may write to with --data DIR',
    });
  }
  const marker = join(root, 'ccx-data');
  const isNew = !exists(marker);
  writeOnce(marker, 'Data of a CCX Notifications all-in-one installation.\n');
  const folders = {
    postgres: join(root, 'postgres'),
    objects: join(root, 'objects'),
    receivers: join(root, 'receivers'),
  };
  for (const folder of [folders.objects, folders.receivers]) mkdirSync(folder, { recursive: true });
  return { root, ...folders, isNew, release: () => rmSync(lock, { force: true }) };
}

function takeLock(lock: string, root: string): void {
  for (let attempt = 0; attempt < 2; attempt += 1) {
    if (writeOnce(lock, `${process.pid} ${startTimeOf(process.pid)}\n`)) return;
    const [pidText = '', startTime = ''] = readFileSync(lock, 'utf8').trim().split(' ');
    const pid = Number(pidText);
    if (Number.isInteger(pid) && pid > 0 && pid !== process.pid && startTimeOf(pid) === startTime && startTime !== '') {
      throw new CcxError(`the data folder ${root} is in use by process ${pid}`, {
        code: 'DATA_FOLDER_IN_USE',
        category: 'configuration',
        hint: 'stop that process, or choose another folder with --data DIR',
      });
    }
    rmSync(lock, { force: true });
  }
  throw new CcxError(`the lock of the data folder ${root} cannot be taken`, {
    code: 'DATA_FOLDER_IN_USE',
    category: 'configuration',
    hint: `see who writes ${lock}`,
  });
}

/** Creates the file with that text unless it exists; true when it did. */
function writeOnce(path: string, text: string): boolean {
  let file: number;
  try {
    file = openSync(path, 'wx', 0o644);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
  writeSync(file, text);
  closeSync(file);
  return true;
}

function exists(path: string): boolean {
  try {
    readFileSync(path);
    return true;
  } catch {
    return false;
  }
}

/**
 * When a process started, as the kernel counts it; empty when there is no such process. Process ids are reused, start times are not.
 * Where /proc is absent a living process answers `unknown`, so that its lock is still respected.
 */
function startTimeOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    try {
      process.kill(pid, 0);
      return exists('/proc/self/stat') ? '' : 'unknown';
    } catch {
      return '';
    }
  }
}
