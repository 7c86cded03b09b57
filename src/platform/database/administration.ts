/**
 * What an administrator does once, so that roles need no right to create anything: all our tables brought up, and the statements that hand
 * out the rest. Used by `ccx db`. Sets of migrations are found by listing, so that none can be forgotten.
 */
import { readdir } from 'node:fs/promises';
import pg from 'pg';
import { type EnsuredSchema, ensureNotificationSchema } from '../records/notification-schema.ts';
import { type CcxMigrationResult, migrateCcx } from './ccx-migrations.ts';
import type { Database } from './database.ts';
import { migrationsPath } from './sql-file.ts';

interface InitialisedDatabase {
  readonly notification: EnsuredSchema;
  readonly sets: readonly (CcxMigrationResult & { readonly set: string })[];
}

/** Both schemas at the versions of this release; what is there already stays. Rejects with the codes of the two migration runners. */
export async function initialiseDatabase(database: Database): Promise<InitialisedDatabase> {
  await database.check();
  const notification = await ensureNotificationSchema(database);
  const sets = [];
  for (const set of await listSets()) sets.push({ set, ...(await migrateCcx(database, set)) });
  return { notification, sets };
}

export async function listSets(): Promise<string[]> {
  const entries = await readdir(migrationsPath('ccx'), { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
}

/** Tables of schema `public` that are written, and those that are only read. */
const written = ['new_reports', 'reported', 'read_errors'];
const read = ['event_targets', 'migration_info', 'notification_types', 'states'];

/** SQL for the user that roles log in as; to be run after `initialiseDatabase`, and again after an upgrade of the tables. */
export function grantStatements(user: string, { embeddedBus }: { readonly embeddedBus: boolean }): string[] {
  const to = `TO ${pg.escapeIdentifier(user)};`;
  return [
    `GRANT USAGE ON SCHEMA public, ccx ${to}`,
    `GRANT SELECT ON ${read.join(', ')} ${to}`,
    `GRANT SELECT, INSERT, UPDATE, DELETE ON ${written.join(', ')} ${to}`,
    `GRANT USAGE ON SEQUENCE read_errors_error_id_seq ${to}`,
    `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ccx ${to}`,
    // Topics of the embedded bus are tables that it makes and drops as they fill.
    ...(embeddedBus ? [`GRANT CREATE ON SCHEMA ccx ${to}`] : []),
  ];
}
