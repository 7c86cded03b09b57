/**
 * The notification database ready for use: what an operator does with `--db-init-migration`, `--db-init` and `--migrate latest`, in one
 * transaction and safe when several processes start at once. Called by the all-in-one runner and by tests; the drop-in writer leaves it
 * to its flags, as operators of the reference expect.
 */
import type { Database } from '../../database/database.ts';
import { initDatabaseIn, initMigrationIn } from './initialise-schema.ts';
import { migrateIn } from './migrate-schema.ts';
import { NOTIFICATION_SCHEMA_VERSION } from './schema-steps.ts';
import { inSchemaTransaction, type SchemaOptions } from './schema-transaction.ts';

export interface EnsuredSchema {
  readonly from: number;
  readonly version: number;
  /** Set when a newer release has been here, as in a rolling update; its schema is left alone. */
  readonly warning?: string;
}

export function ensureNotificationSchema(database: Database, options: SchemaOptions = {}): Promise<EnsuredSchema> {
  return inSchemaTransaction(database, options, async (tx) => {
    const found = await initMigrationIn(tx);
    if (found.kind === 'already-there' && found.version > NOTIFICATION_SCHEMA_VERSION) {
      const warning = `the notification schema has version ${found.version}, newer than ${NOTIFICATION_SCHEMA_VERSION} which this release knows`;
      return { from: found.version, version: found.version, warning };
    }
    await initDatabaseIn(tx);
    const { from, to } = await migrateIn(tx, NOTIFICATION_SCHEMA_VERSION);
    return { from, version: to };
  });
}
