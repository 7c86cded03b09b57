/**
 * `ccx db init|grants`: what an administrator of the database does once, so that the roles need no right to create anything: all our tables
 * brought up, and the statements that hand out the rest. Sets of migrations are found by listing, so that none can be forgotten.
 */
import { readdir } from 'node:fs/promises';
import type { Command } from 'commander';
import pg from 'pg';
import type { ProcessInput } from '../../platform/config/process-input.ts';
import { migrateCcx } from '../../platform/database/ccx-migrations.ts';
import { connectDatabase } from '../../platform/database/connect-database.ts';
import type { Database } from '../../platform/database/database.ts';
import { addDatabaseLocation, locateDatabase } from '../../platform/database/database-location.ts';
import { migrationsPath } from '../../platform/database/sql-file.ts';
import { ensureNotificationSchema } from '../../platform/records/notification-schema.ts';

const userDefault = 'ccx';

export function register(program: Command, input: ProcessInput): void {
  const group = program.command('db').description('the tables in the database: init, grants');
  addDatabaseLocation(
    group
      .command('init')
      .description(
        'brings all tables up, the shared ones and our own, as a user who may create them; again after an upgrade',
      ),
  ).action(async (_options: unknown, command: Command) => {
    const database = connectDatabase({ url: await locateDatabase(command, input), applicationName: 'ccx db' });
    try {
      const { notification, sets } = await initialiseDatabase(database);
      print(
        `notification schema: version ${notification.version}${notification.from === notification.version ? '' : `, from ${notification.from}`}`,
      );
      for (const { set, version, applied } of sets)
        print(`schema ccx, ${set}: version ${version}${applied.length === 0 ? '' : `, applied ${applied.join(', ')}`}`);
      for (const warning of [notification, ...sets].flatMap((part) => part.warning ?? []))
        process.stderr.write(`ccx: ${warning}\n`);
    } finally {
      await database.close();
    }
  });

  group
    .command('grants')
    .description('prints the SQL that gives a user what the roles need, for after ccx db init')
    .option('--to <user>', 'user of the database that the roles log in as', userDefault)
    .option('--bus <kind>', 'postgres: the topics are in this database, too')
    .action(({ to, bus }: { readonly to: string; readonly bus?: string }) => {
      for (const statement of grantStatements(to, { embeddedBus: bus === 'postgres' })) print(statement);
    });
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Both schemas at the versions of this release; what is there already stays. Rejects with the codes of the two migration runners. */
export async function initialiseDatabase(database: Database) {
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
