/**
 * What a stand-in received, kept across restarts: one JSON document per line, synced before the stand-in answers, so that whoever got
 * the answer finds the record after any death. Without a path it is kept in memory only. A line that a death cut short was never
 * answered for and is dropped; one that a full disk cut short is cut back at once. Nothing in the file keeps its reader from starting:
 * lines that cannot be read are moved to a file beside it.
 */
import { constants } from 'node:fs';
import { appendFile, type FileHandle, open, readFile, rename, rm, truncate } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorText } from '../../encoding/ccx-error.ts';
import { makeFolders } from '../../platform/files/make-folders.ts';

/** A request body; an entry has at most some 6 kB. */
export const requestBytesMax = 1024 * 1024;
/** What a stand-in keeps; older records are dropped from memory and, now and then, from the file. A demo makes some dozens. */
export const recordsMax = 50_000;

/** The file is written anew when it holds this many times what is kept, so that it stays bounded. */
const fileRecordsFactor = 2;

export interface RecordFile<Item> {
  /** Oldest first; at most as many as are kept. */
  items(): readonly Item[];
  /** Durable when it resolves; when it rejects, nothing of it is kept. */
  append(item: Item): Promise<void>;
  /** Keeps only these; durable when it resolves. */
  replace(items: readonly Item[]): Promise<void>;
  close(): Promise<void>;
}

type ItemCheck = (document: unknown) => boolean;

interface RecordFileOptions {
  /** Absent: memory only. */
  readonly path: string | undefined;
  /** How many records are kept. */
  readonly itemsMax: number;
  /** Whether a line's document is a record; absent: any is. */
  readonly isItem?: ItemCheck;
  /** Hears in one sentence what could not be read or kept. */
  readonly onTrouble?: ((text: string) => void) | undefined;
}

export async function openRecordFile<Item>(options: RecordFileOptions): Promise<RecordFile<Item>> {
  const { itemsMax } = options;
  const opened = await openOrDoWithout<Item>(options);
  const path = opened.file === undefined ? undefined : options.path;
  let { file, kept } = opened;
  let lines = kept.length;
  /** Behind the last line that was written as a whole. */
  let goodBytes = opened.bytes;
  /** Whether there may be something behind it: only then a failed write has left a part of a line. */
  let torn = false;
  let tail: Promise<unknown> = Promise.resolve();

  /** One change at a time, in the order they were asked for; a failed one does not stop the next. */
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = tail.then(work, work);
    tail = result.catch(() => undefined);
    return result;
  };
  /** What waits for the next flush. Items that are given while another flush runs share it: one wait for the disk, not one each. */
  let gathering: { readonly items: Item[]; readonly written: Promise<void> } | undefined;
  const cutBack = async () => {
    if (!torn || file === undefined) return;
    await file.truncate(goodBytes);
    torn = false;
  };
  const write = async (items: readonly Item[]) => {
    if (file !== undefined) {
      const text = Buffer.from(items.map((item) => `${JSON.stringify(item)}\n`).join(''));
      await cutBack();
      torn = true;
      try {
        await file.appendFile(text);
        await file.datasync();
      } catch (error) {
        // A disk that cannot even do this is asked again before the next line.
        await cutBack().catch(() => undefined);
        throw error;
      }
      torn = false;
      goodBytes += text.length;
      lines += items.length;
    }
    kept.push(...items);
    if (kept.length > itemsMax) kept = kept.slice(-itemsMax);
    // What was asked for is durable; a file that could not be made shorter is tried again with the next line.
    if (lines > itemsMax * fileRecordsFactor) await rewrite(kept).catch(() => undefined);
  };
  const gather = () => {
    const items: Item[] = [];
    const written = inTurn(() => {
      if (gathering?.items === items) gathering = undefined;
      return write(items);
    });
    return { items, written };
  };
  const rewrite = async (items: readonly Item[]) => {
    if (path === undefined) return;
    const bytes = await writeAside(path, items);
    const written = await openForAppending(path);
    await file?.close();
    file = written;
    goodBytes = bytes;
    lines = items.length;
    torn = false;
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
        await rewrite(items);
        kept = [...items];
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

/** A diary that cannot be kept is no reason not to receive: then there is no file, and records are in memory only. */
async function openOrDoWithout<Item>({
  path,
  isItem = () => true,
  onTrouble,
}: RecordFileOptions): Promise<{ file: FileHandle | undefined; kept: Item[]; bytes: number }> {
  if (path === undefined) return { file: undefined, kept: [], bytes: 0 };
  try {
    const { items, unreadable } = await readItems<Item>(path, isItem);
    if (unreadable > 0) onTrouble?.(`${unreadable} unreadable lines of ${path} were moved to ${unreadablePath(path)}`);
    const file = await openForAppending(path);
    return { file, kept: items, bytes: (await file.stat()).size };
  } catch (error) {
    onTrouble?.(`${path} cannot be used, what is received is kept in memory only: ${errorText(error)}`);
    return { file: undefined, kept: [], bytes: 0 };
  }
}

function unreadablePath(path: string): string {
  return `${path}.unreadable`;
}

async function readItems<Item>(
  path: string,
  isItem: ItemCheck,
): Promise<{ readonly items: Item[]; readonly unreadable: number }> {
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return Buffer.alloc(0);
    throw error;
  });
  const end = bytes.lastIndexOf('\n') + 1;
  if (end < bytes.length) await truncate(path, end);
  const items: Item[] = [];
  const unreadable: string[] = [];
  for (const line of bytes.subarray(0, end).toString('utf8').split('\n')) {
    if (line === '') continue;
    const whole = parseLine<Item>(line, isItem);
    if (whole === undefined) unreadable.push(line);
    const item = whole === undefined ? recordBehind<Item>(line, isItem) : whole;
    if (item !== undefined) items.push(item);
  }
  if (unreadable.length > 0) {
    await appendFile(unreadablePath(path), unreadable.map((line) => `${line}\n`).join(''), { mode: 0o600 });
    await writeAside(path, items);
  }
  return { items, unreadable: unreadable.length };
}

/** Earlier releases wrote on behind a line that a full disk had cut short: the record there is whole, and somebody was answered for it. */
function recordBehind<Item>(line: string, isItem: ItemCheck): Item | undefined {
  const head = /^\{"[^"]*":/.exec(line)?.[0];
  if (head === undefined) return undefined;
  for (let at = line.indexOf(head, 1); at !== -1; at = line.indexOf(head, at + 1)) {
    const item = parseLine<Item>(line.slice(at), isItem);
    if (item !== undefined) return item;
  }
  return undefined;
}

function parseLine<Item>(line: string, isItem: ItemCheck): Item | undefined {
  try {
    const document: unknown = JSON.parse(line);
    return isItem(document) ? (document as Item) : undefined;
  } catch {
    return undefined;
  }
}

async function openForAppending(path: string): Promise<FileHandle> {
  await makeFolders(dirname(path));
  const file = await open(path, constants.O_APPEND | constants.O_CREAT | constants.O_WRONLY, 0o600);
  await syncFolder(path);
  return file;
}

/** Resolves to the bytes written. */
async function writeAside(path: string, items: readonly unknown[]): Promise<number> {
  const text = Buffer.from(items.map((item) => `${JSON.stringify(item)}\n`).join(''));
  const asidePath = `${path}.new`;
  try {
    const aside = await open(asidePath, 'w', 0o600);
    try {
      await aside.writeFile(text);
      await aside.sync();
    } finally {
      await aside.close();
    }
    await rename(asidePath, path);
  } catch (error) {
    await rm(asidePath, { force: true }).catch(() => undefined);
    throw error;
  }
  await syncFolder(path);
  return text.length;
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
