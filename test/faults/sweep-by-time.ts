/**
 * Lets an installation that has stopped do what it does by itself a while after a kill: remove files that another process might still have
 * been about to finish. What is there after that stays forever, and is a left-over.
 */
import { join } from 'node:path';
import { type Clock, createSystemClock } from '../../src/platform/clock/clock.ts';
import { embeddedLeftoverMsMin } from '../../src/platform/database/embedded/prepare-folder.ts';
import { openDirectoryStore } from '../../src/platform/objects/directory/directory-store.ts';
import { leftOverAgeMs } from '../../src/platform/objects/directory/temporary-folder.ts';

const afterAllMs = leftOverAgeMs + embeddedLeftoverMsMin;
const everything = { ageMs: Number.POSITIVE_INFINITY, totalBytes: Number.POSITIVE_INFINITY };

/** In the object store below the data folder; archives stay. */
export async function sweepObjectsByTime(folder: string): Promise<void> {
  const store = await openDirectoryStore({ path: join(folder, 'objects'), clock: laterClock(), retention: everything });
  try {
    await store.enforceRetention();
  } finally {
    await store.close();
  }
}

/** A clock by which that while has passed; a start of the embedded database sweeps by it. */
export function laterClock(): Clock {
  const clock = createSystemClock();
  return { ...clock, now: () => new Date(clock.now().getTime() + afterAllMs) };
}
