/**
 * Removes archives that are too old, then the oldest of what is too much. Run by the directory store every few minutes. The reserved
 * folders are not touched, nor are archives that an announcement in the outbox may still point to.
 */
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../clock/clock.ts';
import { OUTBOX_PREFIX } from '../object-store.ts';
import { isObjectName } from './file-name.ts';
import { leftOverAgeMs, sweepTemporaryFolders } from './temporary-folder.ts';

/** An archive is stored at most this long before its announcement; kept so long before the oldest one that still waits. */
export const outboxReachMs = 10 * 60_000;

export type RetentionReport = Awaited<ReturnType<typeof enforceRetention>>;

interface StoredFile {
  readonly path: string;
  readonly bytes: number;
  readonly storedAtMs: number;
}

export async function enforceRetention(run: {
  readonly path: string;
  readonly clock: Clock;
  readonly limits: { readonly ageMs: number; readonly totalBytes: number };
}) {
  const nowMs = run.clock.now().getTime();
  const objects = await filesIn(run.path, isObjectName);
  objects.sort((a, b) => a.storedAtMs - b.storedAtMs);
  const keepFromMs = (await oldestWaiting(run.path)) - outboxReachMs;
  let totalBytes = objects.reduce((sum, file) => sum + file.bytes, 0);
  let removedObjects = 0;
  let removedBytes = 0;
  for (const file of objects) {
    const tooOld = nowMs - file.storedAtMs > run.limits.ageMs;
    // Oldest first: once one is neither too old nor too much, no later one is.
    if (file.storedAtMs >= keepFromMs || !(tooOld || totalBytes > run.limits.totalBytes)) break;
    await rm(file.path, { force: true });
    await rm(`${file.path}.meta`, { force: true });
    totalBytes -= file.bytes;
    removedBytes += file.bytes;
    removedObjects += 1;
  }
  await sweepLonelyMetadata(run.path, nowMs);
  await sweepTemporaryFolders(run.path, run.clock);
  return { keptObjects: objects.length - removedObjects, keptBytes: totalBytes, removedObjects, removedBytes };
}

/** When the oldest announcement that waits was kept; infinity when none waits. */
async function oldestWaiting(path: string): Promise<number> {
  const waiting = await filesIn(join(path, OUTBOX_PREFIX), isObjectName);
  return waiting.reduce((oldest, file) => Math.min(oldest, file.storedAtMs), Number.POSITIVE_INFINITY);
}

/** A crash between the two renames of a `put` leaves metadata without an object. */
async function sweepLonelyMetadata(path: string, nowMs: number): Promise<void> {
  const names = new Set(await readdir(path));
  for (const file of await filesIn(path, (name) => name.endsWith('.meta') && !names.has(name.slice(0, -5)))) {
    if (nowMs - file.storedAtMs > leftOverAgeMs) await rm(file.path, { force: true });
  }
}

async function filesIn(folder: string, wanted: (name: string) => boolean): Promise<StoredFile[]> {
  const files: StoredFile[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (!entry.isFile() || !wanted(entry.name)) continue;
    const path = join(folder, entry.name);
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined) files.push({ path, bytes: found.size, storedAtMs: found.mtimeMs });
  }
  return files;
}
