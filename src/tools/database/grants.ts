/**
 * `ccx db grants`: what the user that the roles log in as needs, so that they need no right to create anything: SELECT, INSERT, UPDATE,
 * DELETE and USAGE. Printed for an administrator, or executed.
 */
import { type Command, Option } from 'commander';
import pg from 'pg';
import { CcxError } from '../../encoding/ccx-error.ts';
import type { Database } from '../../platform/database/database.ts';
import { sqlState } from '../../platform/database/database-error.ts';
import { addDatabaseLocation } from '../../platform/database/database-location.ts';
import { type DatabaseTool, examples, print, printJson } from './database-tool.ts';

const roleDefault = 'ccx';

interface GrantsFlags {
  readonly role: string;
  readonly to?: string;
  readonly bus?: string;
  readonly apply?: boolean;
  readonly json?: boolean;
}

export function registerGrants(group: Command, tool: DatabaseTool): void {
  addDatabaseLocation(group.command('grants'))
    .description('prints the SQL that gives a user what the roles need; for after init, and again after migrate')
    .option('--role <name>', 'user of the database that the roles log in as', roleDefault)
    .addOption(new Option('--to <name>', 'the same').hideHelp())
    .option('--bus <kind>', 'postgres: the topics are in this database, too')
    .option('--apply', 'execute it as well, all or nothing')
    .option('--json', 'one JSON object')
    .addHelpText('after', examples('ccx db grants --role ccx | psql notification', 'ccx db grants --role ccx --apply'))
    .action(async ({ role: named, to, bus, apply = false, json = false }: GrantsFlags, command: Command) => {
      const role = to ?? named;
      const statements = grantStatements(role, { embeddedBus: bus === 'postgres' });
      if (apply) await tool.withDatabase(command, (database) => applyGrants(database, statements));
      if (json) printJson({ role, applied: apply, statements });
      else for (const statement of statements) print(statement);
    });
}

/** Tables of schema `public` that are written, and those that are only read. */
const written = ['new_reports', 'reported', 'read_errors'];
const read = ['event_targets', 'migration_info', 'notification_types', 'states'];

/** SQL for the user that roles log in as; to be run when the tables are there, and again after an upgrade of them. */
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

/** All of them or none. Codes: `GRANTS_REFUSED` with what to do first. */
async function applyGrants(database: Database, statements: readonly string[]): Promise<void> {
  try {
    await database.transaction(async (tx) => {
      for (const statement of statements) await tx.query(statement);
    });
  } catch (cause) {
    const hint = hints[sqlState(cause) ?? ''];
    if (hint === undefined) throw cause;
    throw new CcxError(`nothing was granted: ${(cause as Error).message}`, {
      ...{ code: 'GRANTS_REFUSED', category: 'configuration', cause, hint },
    });
  }
}

/** By SQLSTATE. */
const hints: Readonly<Record<string, string>> = {
  '42704': 'make the user first: CREATE ROLE … LOGIN; or name another with --role',
  '3F000': 'ccx db init makes the tables; it goes first',
  '42P01': 'ccx db init makes the tables; it goes first',
  '42501': 'log in as the owner of the tables, or as a superuser: --database postgres://…',
};
