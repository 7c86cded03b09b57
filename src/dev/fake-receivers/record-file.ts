/**
 * What a stand-in received, kept across restarts: one JSON document per line, synced before the stand-in answers, so that whoever got
 * the answer finds the record after any death. Without a path it is kept in memory only. A line that a death cut short was never
 * answered for and is dropped.
 */
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readFile, rename, truncate } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CcxError } from '../../contracts/ccx-error.ts';
import { fileRecordsFactor } from './limits.ts';

export interface RecordFile<Item> {
  /** Oldest first; at most as many as are kept. */
  items(): readonly Item[];
  /** Durable when it resolves. */
  append(item: Item): Promise<void>;
  /** Keeps only these; durable when it resolves. */
  replace(items: readonly Item[]): Promise<void>;
  close(): Promise<void>;
}

export interface RecordFileOptions {
  /** Absent: memory only. */
  readonly path: string | undefined;
  /** How many records are kept. */
  readonly itemsMax: number;
}

export async function openRecordFile<Item>({ path, itemsMax }: RecordFileOptions): Promise<RecordFile<Item>> {
  let kept = path === undefined ? [] : await readItems<Item>(path);
  let lines = kept.length;
  let file = path === undefined ? undefined : await openForAppending(path);
  let tail: Promise<unknown> = Promise.resolve();

  /** One change at a time, in the order they were asked for; a failed one does not stop the next. */
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = tail.then(work, work);
    tail = result.catch(() => undefined);
    return result;
  };
  /** What waits for the next flush. Items that are given while another flush runs share it: one wait for the disk, not one each. */
  let gathering: { readonly items: Item[]; readonly written: Promise<void> } | undefined;
  const write = async (items: readonly Item[]) => {
    if (file !== undefined) {
      await file.appendFile(items.map((item) => `${JSON.stringify(item)}\n`).join(''));
      await file.datasync();
      lines += items.length;
    }
    kept.push(...items);
    if (kept.length > itemsMax) kept = kept.slice(-itemsMax);
    if (lines > itemsMax * fileRecordsFactor) await rewrite();
  };
  const gather = () => {
    const items: Item[] = [];
    const written = inTurn(() => {
      if (gathering?.items === items) gathering = undefined;
      return write(items);
    });
    return { items, written };
  };
  const rewrite = async () => {
    if (path === undefined) return;
    await file?.close();
    await writeAside(path, kept);
    file = await openForAppending(path);
    lines = kept.length;
  };

  return {
    items: () => kept,
    append(item) {
      gathering ??= gather();
      gathering.items.push(item);
      return gathering.written;
    },
    replace(items) {
      // What is appended from now on comes behind this change.
      gathering = undefined;
      return inTurn(async () => {
        kept = [...items];
        await rewrite();
      });
    },
    close() {
      gathering = undefined;
      return inTurn(async () => {
        await file?.close();
        file = undefined;
      });
    },
  };
}

async function readItems<Item>(path: string): Promise<Item[]> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw unusable(path, cause);
  }
  const end = bytes.lastIndexOf('\n') + 1;
  if (end < bytes.length) await truncate(path, end);
  try {
    const lines = bytes.subarray(0, end).toString('utf8').split('\n');
    return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Item);
  } catch (cause) {
    throw unusable(path, cause);
  }
}

async function openForAppending(path: string): Promise<FileHandle> {
  try {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(path, constants.O_APPEND | constants.O_CREAT | constants.O_WRONLY, 0o600);
    await syncFolder(path);
    return file;
  } catch (cause) {
    throw unusable(path, cause);
  }
}

async function writeAside(path: string, items: readonly unknown[]): Promise<void> {
  const aside = await open(`${path}.new`, 'w', 0o600);
  try {
    await aside.writeFile(items.map((item) => `${JSON.stringify(item)}\n`).join(''));
    await aside.sync();
  } finally {
    await aside.close();
  }
  await rename(`${path}.new`, path);
  await syncFolder(path);
}

/** A new name in a folder survives the loss of power only after the folder itself is synced. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function unusable(path: string, cause: unknown): CcxError {
  return new CcxError(`the file of a stand-in receiver cannot be used: ${path}`, {
    code: 'RECORD_FILE',
    category: 'storage',
    cause,
    hint: 'remove the file, or choose another data folder',
  });
}
