/**
 * A data folder as release 0.1.0 at commit 9e6a6cf left it, for tests of what becomes of it. `scripts/make-older-data-folder.ts` fills it
 * with that commit's own program and packs it; here it is unpacked, and aged so that it was left a moment ago.
 */
import { chown, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { zstdDecompress } from 'node:zlib';
import { extract } from 'tar';
import type { Clock } from '../../src/platform/clock/clock.ts';
import { connectDatabase } from '../../src/platform/database/connect-database.ts';
import { EMBEDDED_DATABASE_NAME, EMBEDDED_POSTGRES_FOLDER } from '../../src/platform/database/database-location.ts';
import { chooseServerUser } from '../../src/platform/database/embedded/server-user.ts';
import {
  createDatabaseIfMissing,
  startEmbeddedPostgres,
} from '../../src/platform/database/embedded/start-embedded-postgres.ts';

export const OLDER_COMMIT = '9e6a6cf';
export const OLDER_DATA_FOLDER = new URL(`../fixtures/data-folder-${OLDER_COMMIT}.tar.zst`, import.meta.url);
/** By it ingress finds its own outbox again. */
export const OLDER_INGRESS_NAME = 'the-older-one';

/** What was done to each cluster, by the seed that it was simulated from. */
export const OLDER_CLUSTERS = {
  /** Service Log refused its message for good. */
  dead: 'older-dead',
  /** Service Log was away: tried, and tried again. */
  pending: 'older-pending',
  /** Behind the cap of a first run: never tried. */
  heldBack: 'older-held-back',
  /** Both targets have it. */
  delivered: 'older-delivered',
  /** The same, and organization 666 reported it later. */
  contested: 'older-contested',
  /** Stored and answered with 202, its announcement in `outbox/`. */
  unannounced: 'older-unannounced',
} as const;

/** Of every cluster in it: one issue. */
export const OLDER_FINDING = 'CONTROL_PLANE_NODE_REPLICAS';
/** How long ago the folder was left: longer than a first run held back, shorter than everything else. */
const leftHoursAgo = 2;

export async function unpackOlderDataFolder(folder: string, clock: Clock): Promise<void> {
  const packed = await promisify(zstdDecompress)(await readFile(OLDER_DATA_FOLDER));
  await new Promise<void>((resolve, reject) => {
    // Files are as old as their unpacking: archives would otherwise have reached the age at which they are removed.
    const unpacking = extract({ cwd: folder, noMtime: true });
    unpacking.on('close', resolve);
    unpacking.on('error', reject);
    unpacking.end(packed);
  });
  const user = chooseServerUser(process.getuid?.());
  const cluster = join(folder, EMBEDDED_POSTGRES_FOLDER, 'cluster');
  if (user !== undefined) {
    await chown(cluster, user.uid, user.gid);
    for (const entry of await readdir(cluster, { recursive: true }))
      await chown(join(cluster, entry), user.uid, user.gid);
  }
  const server = await startEmbeddedPostgres({ dataDir: join(folder, EMBEDDED_POSTGRES_FOLDER), clock });
  try {
    const url = await createDatabaseIfMissing(server.url, EMBEDDED_DATABASE_NAME);
    const database = connectDatabase({ url, applicationName: 'older-data-folder' });
    await database.query(moveToPresent(leftHoursAgo)).finally(() => database.close());
  } finally {
    await server.stop();
  }
}

/** Every moment in every table, by the same amount. */
function moveToPresent(hoursAgo: number): string {
  return `
    DO $$
    DECLARE
      passed interval := (SELECT clock_timestamp() AT TIME ZONE 'UTC' - max(notified_at) FROM public.reported) - interval '${hoursAgo} hours';
      of_table record;
    BEGIN
      FOR of_table IN
        SELECT format('%I.%I', c.table_schema, c.table_name) AS name,
               string_agg(format('%1$I = %1$I + $1', c.column_name), ', ') AS changes
          FROM information_schema.columns c
          JOIN information_schema.tables t USING (table_schema, table_name)
         WHERE c.table_schema IN ('public', 'ccx') AND t.table_type = 'BASE TABLE' AND c.data_type LIKE 'timestamp%'
         GROUP BY c.table_schema, c.table_name
      LOOP
        EXECUTE 'UPDATE ' || of_table.name || ' SET ' || of_table.changes USING passed;
      END LOOP;
    END $$`;
}
