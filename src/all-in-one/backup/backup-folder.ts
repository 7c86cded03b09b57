/**
 * A backup is a folder of its own, mode 0700, since keys lie in it: `backup.json` says what belongs to it and is written last, so that a
 * backup that was interrupted has none; `database/` holds a file per table (`COPY` in text format, zstd), `files/` what lay in the data
 * folder beside PostgreSQL. Written by `take-backup.ts`, read by `restore-backup.ts`.
 */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { open, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { CcxError } from '../../encoding/ccx-error.ts';

/** Grows when a program that reads this one could not read the next. */
export const BACKUP_FORMAT = 1;
export const BACKUP_FILES = 'files';
export const BACKUP_TABLES = 'database';
const contentsFile = 'backup.json';
const unfinishedFile = 'backup.json.unfinished';

/** Below the backup; never out of it. */
const relativePath = z.string().regex(/^(?!.*(?:^|\/)\.\.?(?:\/|$))[^/\0][^\0]*$/, 'must lie in the backup');
const count = z.number().int().nonnegative();
const text = z.string().min(1);
const relation = { schema: z.enum(['public', 'ccx']), name: text };

const contentsSchema = z.object({
  format: z.literal(BACKUP_FORMAT),
  /** Of the program that took it. */
  version: text,
  postgres: text,
  /** What was committed before is in it. RFC 3339, UTC. */
  taken_at: z.iso.datetime(),
  /** Where it was taken. Installations of before there were ids have none. */
  original: z.object({ id: z.uuid().nullable(), host: text, folder: text }),
  /** Null where the shared tables, or schema `ccx`, were never made. */
  shared_version: count.nullable(),
  migrations: z.array(z.object({ set: text, number: z.number().int().positive(), sha256: text })),
  tables: z.array(z.object({ ...relation, columns: z.array(text), rows: count, file: relativePath })),
  partitions: z.array(
    z.object({ ...relation, parent: text, bound: z.string().regex(/^(?:DEFAULT|FOR VALUES [^;]+)$/) }),
  ),
  /** `value` is text: it may be beyond what a number holds. */
  sequences: z.array(z.object({ ...relation, value: z.string().regex(/^-?\d+$/), called: z.boolean() })),
  /** What the database takes on a disk, indexes included. */
  database_bytes: count,
  /** Everything, tables too. `mode` and `modified_ms` are those of the original, absent for tables. */
  files: z.array(
    z.object({
      path: relativePath,
      bytes: count,
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
      mode: count.optional(),
      modified_ms: z.number().optional(),
    }),
  ),
});

/** What a disk has to have left behind a backup or a restore. */
export const spareBytesMin = 64 * 1024 ** 2;

export interface BackupProgress {
  /** A step began. */
  readonly step: (text: string) => void;
  /** Something went on: for whoever says so now and then. */
  readonly part: (text: string) => void;
}

export type BackupContents = Readonly<z.infer<typeof contentsSchema>>;
export type BackupFile = Readonly<BackupContents['files'][number]>;

export async function markUnfinished(folder: string): Promise<void> {
  await writeFile(join(folder, unfinishedFile), '', { mode: 0o600, flag: 'wx' });
}

/** Makes it a backup; durable when it resolves. */
export async function finish(folder: string, contents: BackupContents): Promise<void> {
  const path = join(folder, unfinishedFile);
  const handle = await open(path, 'w', 0o600);
  try {
    await handle.writeFile(`${JSON.stringify(contents, null, 1)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(path, join(folder, contentsFile));
  await syncFolder(folder);
}

/** Codes: `BACKUP_NOT_FOUND`, `BACKUP_UNFINISHED`, `BACKUP_FORMAT`, `BACKUP_DAMAGED`. */
export async function readBackup(folder: string): Promise<BackupContents> {
  const written = await readFile(join(folder, contentsFile), 'utf8').catch(async (cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT' && (await isThere(join(folder, unfinishedFile)))) throw unfinished(folder);
    throw new CcxError(`there is no backup in ${folder}: ${contentsFile} cannot be read`, {
      ...{ code: 'BACKUP_NOT_FOUND', category: 'input', cause },
      hint: 'name the folder that ccx backup has written, the one with backup.json in it',
    });
  });
  let document: unknown;
  try {
    document = JSON.parse(written);
  } catch (cause) {
    throw damaged(`${contentsFile} is no JSON`, cause);
  }
  const format = z.object({ format: z.number(), version: z.string().optional() }).safeParse(document);
  if (format.success && format.data.format !== BACKUP_FORMAT) {
    throw new CcxError(
      `the backup has format ${format.data.format}, this program reads ${BACKUP_FORMAT}: release ${format.data.version} wrote it`,
      {
        ...{ code: 'BACKUP_FORMAT', category: 'input' },
        hint: 'restore it with the release that wrote it, or a newer one',
      },
    );
  }
  const parsed = contentsSchema.safeParse(document);
  if (!parsed.success) throw damaged(`${contentsFile} does not say what it should: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

/** Reads everything that belongs to it. Rejects with `BACKUP_DAMAGED` naming the file. */
export async function verifyBackup(
  folder: string,
  { files }: Pick<BackupContents, 'files'>,
  { signal, onBytes }: { readonly signal?: AbortSignal; readonly onBytes?: (bytes: number) => void } = {},
): Promise<void> {
  // First what takes no time.
  for (const { path, bytes } of files) {
    const found = await stat(join(folder, path)).catch(() => undefined);
    if (found === undefined) throw damaged(`${path} is missing`);
    if (found.size !== bytes) throw damaged(`${path} has ${found.size} bytes, ${bytes} were written`);
  }
  for (const { path, sha256 } of files) {
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(join(folder, path), { ...(signal === undefined ? {} : { signal }) })) {
      hash.update(chunk as Buffer);
      onBytes?.((chunk as Buffer).length);
    }
    if (hash.digest('hex') !== sha256) throw damaged(`${path} does not hold what was written`);
  }
}

/** Writes a new file, closed to others, from a stream, by way of others where there are some, and flushes it. */
export async function writeFileOfBackup(
  path: string,
  streams: readonly [Readable, ...Transform[]],
  { signal, onBytes }: { readonly signal: AbortSignal; readonly onBytes?: ((bytes: number) => void) | undefined },
): Promise<Pick<BackupFile, 'bytes' | 'sha256'>> {
  const hash = createHash('sha256');
  let bytes = 0;
  const tap = tapOf((chunk) => {
    hash.update(chunk);
    bytes += chunk.length;
    onBytes?.(chunk.length);
  });
  await pipeline([...streams, tap, createWriteStream(path, { flags: 'wx', mode: 0o600, flush: true })], { signal });
  return { bytes, sha256: hash.digest('hex') };
}

/** Passes everything on and shows it. */
export function tapOf(look: (chunk: Buffer) => void): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      look(chunk);
      done(null, chunk);
    },
  });
}

/** What was written into it under new names survives the loss of power only afterwards. */
export async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function unfinished(folder: string): CcxError {
  return new CcxError(`the backup in ${folder} was interrupted and cannot be restored`, {
    ...{ code: 'BACKUP_UNFINISHED', category: 'input' },
    hint: 'take another one that was finished; this folder may be removed',
  });
}

export function damaged(what: string, cause?: unknown): CcxError {
  return new CcxError(`the backup is damaged: ${what}`, {
    ...{ code: 'BACKUP_DAMAGED', category: 'input', cause },
    hint: 'copy it again from where it was taken, or take another one; ccx restore BACKUP --check reads all of it',
  });
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

export function inMegabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1024 ** 2)} MiB`;
}
