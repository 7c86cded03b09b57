/**
 * Changes the file of bearer tokens while processes read it: written beside and renamed, so that they see the one or the other, and locked
 * against a second writer. What an entry has that we do not know stays. Called by `ccx tokens`.
 */
import { open, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CcxError } from '../../encoding/ccx-error.ts';
import type { Clock } from '../clock/clock.ts';
import { parseTokenFile, readTokenFile, type TokenEntry, type TokenOwner } from './token-file.ts';

/** An edit takes milliseconds. */
const lockWaitMsMax = 5_000;
const lockTriedEveryMs = 50;
const newFileMode = 0o600;

interface TokenDocument {
  readonly tokens: readonly TokenEntry[];
}

/**
 * Stores what `change` makes of the file; the same object leaves it as it is. A file that is not there is one without tokens. Rejects with
 * `TOKENS_UNREADABLE`, `TOKENS_INVALID` (also for what `change` makes: then nothing was written), `TOKENS_READ_ONLY` where nothing can be
 * written, `TOKENS_LOCKED` where somebody else writes for seconds, and with what `change` throws.
 */
export async function editTokenFile(
  named: string,
  change: (document: TokenDocument, owners: ReadonlyMap<string, TokenOwner>) => TokenDocument,
  clock: Pick<Clock, 'sleep' | 'monotonicMs'>,
): Promise<void> {
  // Renaming onto a link would replace the link.
  const path = await realpath(named).catch(() => named);
  const unlock = await lock(path, clock);
  try {
    const text = (await exists(path)) ? await readTokenFile(path) : '{"tokens":[]}';
    const owners = parseTokenFile(text, path);
    const document = JSON.parse(text) as TokenDocument;
    const changed = change(document, owners);
    if (changed === document) return;
    const next = `${JSON.stringify(changed, null, 2)}\n`;
    parseTokenFile(next, path);
    await replace(path, next).catch(orReadOnly(path));
  } finally {
    await unlock();
  }
}

/**
 * A new file is nobody else's business; one that is there keeps owner and mode, since the services that read it may run as another account.
 * What root makes is whose the folder is.
 */
async function replace(path: string, text: string): Promise<void> {
  const beside = `${path}.next`;
  await rm(beside, { force: true });
  const before = await stat(path).catch(() => undefined);
  const handle = await open(beside, 'wx', newFileMode);
  try {
    await handle.writeFile(text);
    if (process.getuid?.() === 0) {
      const { uid, gid } = before ?? (await stat(dirname(path)));
      await handle.chown(uid, gid);
    }
    if (before !== undefined) await handle.chmod(before.mode & 0o777);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(beside, path);
  const folder = await open(dirname(path));
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
  );
}

/** Resolves to how to let others write again. */
async function lock(path: string, clock: Pick<Clock, 'sleep' | 'monotonicMs'>): Promise<() => Promise<void>> {
  const lockPath = `${path}.lock`;
  const givenUpMs = clock.monotonicMs() + lockWaitMsMax;
  for (;;) {
    try {
      await (await open(lockPath, 'wx', 0o600)).close();
      return () => rm(lockPath, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return orReadOnly(path)(error);
      if (clock.monotonicMs() >= givenUpMs) throw locked(lockPath);
    }
    await clock.sleep(lockTriedEveryMs);
  }
}

function locked(lockPath: string): CcxError {
  return new CcxError(`somebody else has been changing the token file for ${lockWaitMsMax / 1_000} s`, {
    code: 'TOKENS_LOCKED',
    category: 'storage',
    retryable: true,
    hint: `try again; if nobody does, a command was killed: remove ${lockPath}`,
  });
}

function orReadOnly(path: string): (error: unknown) => never {
  return (error) => {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (code === 'ENOENT') {
      throw new CcxError(`the folder ${dirname(path)} is not there`, {
        code: 'TOKENS_UNREADABLE',
        category: 'configuration',
        cause: error,
        hint: 'name another file with --tokens-file, or make the folder',
      });
    }
    if (!['EROFS', 'EACCES', 'EPERM'].includes(code)) throw error;
    throw new CcxError(`the token file ${path} cannot be written here`, {
      code: 'TOKENS_READ_ONLY',
      category: 'configuration',
      cause: error,
      hint: 'change it where it comes from, e.g. in the Secret that is mounted there',
    });
  };
}
