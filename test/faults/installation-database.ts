/** Ways into the database of an installation that may or may not run, and the passing of the time that others wait for a dead process. */
import { join } from 'node:path';
import { CcxError } from '../../src/encoding/ccx-error.ts';
import { createSystemClock } from '../../src/platform/clock/clock.ts';
import { connectDatabase } from '../../src/platform/database/connect-database.ts';
import { withDatabaseName } from '../../src/platform/database/connection-url.ts';
import type { Database } from '../../src/platform/database/database.ts';
import { EMBEDDED_DATABASE_NAME, findRunningServer } from '../../src/platform/database/database-location.ts';
import { startEmbeddedPostgres } from '../../src/platform/database/embedded/start-embedded-postgres.ts';

const clock = createSystemClock();

/** A server that was told to stop right before its process was killed takes this long at most to be gone. */
const goneMsMax = 30_000;

/**
 * On the server that runs on the data folder, or on one that is started for it, by the clock of `startClock`. `work` may be done twice: the
 * first server may be on its way out.
 */
export async function onEmbeddedDatabase<T>(
  folder: string,
  work: (database: Database) => Promise<T>,
  startClock = clock,
): Promise<T> {
  const dataDir = join(folder, 'postgres');
  const deadlineMs = clock.monotonicMs() + goneMsMax;
  for (;;) {
    const running = await findRunningServer(dataDir, EMBEDDED_DATABASE_NAME);
    if (running === undefined) break;
    try {
      return await onDatabase(running, work);
    } catch (error) {
      const isGoing = error instanceof CcxError && error.category === 'connection';
      if (!isGoing || clock.monotonicMs() > deadlineMs) throw error;
      await clock.sleep(50);
    }
  }
  const server = await startEmbeddedPostgres({ dataDir, clock: startClock, settings: { fsync: 'off' } });
  try {
    return await onDatabase(withDatabaseName(server.url, EMBEDDED_DATABASE_NAME), work);
  } finally {
    await server.stop();
  }
}

export async function onDatabase<T>(url: string, work: (database: Database) => Promise<T>): Promise<T> {
  const database = connectDatabase({ url, applicationName: 'faults', connectionsMax: 2 });
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}

/** Memberships on the embedded bus and claims on messages end, as they would by themselves after seconds and minutes. */
export async function endLeases(database: Database): Promise<void> {
  await database.query('UPDATE ccx.bus_members SET lease_until = clock_timestamp()');
  await database.query(
    `UPDATE ccx.notification_outbox SET next_attempt_at = clock_timestamp() AT TIME ZONE 'UTC' WHERE state = 'claimed'`,
  );
}
