/**
 * `ccx db grants`: what the user that the roles log in as needs, so that they need no right to create anything: SELECT, INSERT, UPDATE,
 * DELETE and USAGE. Printed for an administrator, or executed.
 */
import { type Command, Option } from 'commander';
import pg from 'pg';
import { CcxError } from '../../encoding/ccx-error.ts';
import type { Connection, Database } from '../../platform/database/database.ts';
import { sqlState } from '../../platform/database/database-error.ts';
import { addDatabaseLocation } from '../../platform/database/database-location.ts';
import { addAuditOptions, type ByWhom, byWhomOf } from '../../platform/records/audit.ts';
import { type DatabaseTool, examples, print, printJson, recordAuditWhereKept } from './database-tool.ts';

const roleDefault = 'ccx';
/** Of tables in an error. */
const namesMax = 3;

interface GrantsFlags {
  readonly role: string;
  readonly to?: string;
  readonly bus?: string;
  readonly apply?: boolean;
  readonly json?: boolean;
}

export function registerGrants(group: Command, tool: DatabaseTool): void {
  addAuditOptions(addDatabaseLocation(group.command('grants')))
    .description('prints the SQL that gives a user what the roles need; for after init, and again after migrate')
    .option('--role <name>', 'user of the database that the roles log in as', roleDefault)
    .addOption(new Option('--to <name>', 'the same').hideHelp())
    .addOption(
      new Option('--bus <kind>', 'postgres: the topics are in this database, too').choices(['postgres', 'kafka']),
    )
    .option('--apply', 'execute it as well, all or nothing; in ccx audit list')
    .option('--json', 'one JSON object')
    .addHelpText('after', examples('ccx db grants --role ccx | psql notification', 'ccx db grants --role ccx --apply'))
    .action(async ({ role: named, to, bus, apply = false, json = false }: GrantsFlags, command: Command) => {
      const role = to ?? named;
      const embeddedBus = bus === 'postgres';
      const statements = grantStatements(role, { embeddedBus });
      const byWhom = byWhomOf(command);
      if (apply) await tool.withDatabase(command, (database) => applyGrants(database, { role, embeddedBus, byWhom }));
      if (json) printJson({ role, applied: apply, statements });
      else for (const statement of statements) print(statement);
    });
}

/** Tables of schema `public` that are written, and those that are only read. */
const written = ['new_reports', 'reported', 'read_errors'];
const readErrorsSequence = 'read_errors_error_id_seq';
const read = ['event_targets', 'migration_info', 'notification_types', 'states'];

/** SQL for the user that roles log in as; to be run when the tables are there, and again after an upgrade of them. */
export function grantStatements(user: string, { embeddedBus }: { readonly embeddedBus: boolean }): string[] {
  const to = `TO ${pg.escapeIdentifier(user)};`;
  return [
    `GRANT USAGE ON SCHEMA public, ccx ${to}`,
    `GRANT SELECT ON ${read.join(', ')} ${to}`,
    `GRANT SELECT, INSERT, UPDATE, DELETE ON ${written.join(', ')} ${to}`,
    `GRANT USAGE ON SEQUENCE ${readErrorsSequence} ${to}`,
    `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ccx ${to}`,
    // Topics of the embedded bus are tables that it makes and drops as they fill.
    ...(embeddedBus ? [`GRANT CREATE ON SCHEMA ccx ${to}`] : []),
  ];
}

interface Grantee {
  readonly role: string;
  readonly embeddedBus: boolean;
  readonly byWhom: ByWhom;
}

/** All of them or none, audited. Code: `GRANTS_REFUSED` with what to do first. */
async function applyGrants(database: Database, { role, embeddedBus, byWhom }: Grantee): Promise<void> {
  try {
    await database.transaction(async (tx) => {
      for (const statement of grantStatements(role, { embeddedBus })) await tx.query(statement);
      await requireGranted(tx, role, embeddedBus);
      await recordAuditWhereKept(tx, { ...byWhom, action: 'db grants', subject: role, after: { embeddedBus } });
    });
  } catch (cause) {
    const hint = hints[sqlState(cause) ?? ''];
    if (hint === undefined) throw cause;
    throw new CcxError('nothing was granted', {
      ...{ code: 'GRANTS_REFUSED', category: 'configuration', cause, hint },
    });
  }
}

/** To somebody who may not grant, PostgreSQL says so by a warning only. */
async function requireGranted(tx: Connection, role: string, embeddedBus: boolean): Promise<void> {
  const { rows } = await tx.query<{ missing: string }>(
    `SELECT c.oid::regclass::text AS missing
       FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
      WHERE (n.nspname = 'ccx' AND c.relkind IN ('r', 'p') OR c.oid = ANY($2::regclass[]))
        AND NOT (has_table_privilege($1, c.oid, 'SELECT') AND has_table_privilege($1, c.oid, 'INSERT')
                 AND has_table_privilege($1, c.oid, 'UPDATE') AND has_table_privilege($1, c.oid, 'DELETE'))
     UNION ALL
     SELECT c.oid::regclass::text FROM pg_class AS c
      WHERE c.oid = ANY($3::regclass[]) AND NOT has_table_privilege($1, c.oid, 'SELECT')
     UNION ALL
     SELECT 'schema ' || n.nspname FROM pg_namespace AS n
      WHERE n.nspname IN ('public', 'ccx') AND NOT has_schema_privilege($1, n.oid, 'USAGE')
         OR n.nspname = 'ccx' AND $4 AND NOT has_schema_privilege($1, n.oid, 'CREATE')
     UNION ALL
     SELECT $5 WHERE NOT has_sequence_privilege($1, $5, 'USAGE')
     ORDER BY 1`,
    [role, written, read, embeddedBus, readErrorsSequence],
  );
  if (rows.length === 0) return;
  throw new CcxError(
    `nothing was granted: this user may not grant rights on ${shortened(rows.map((row) => row.missing))}`,
    {
      ...{ code: 'GRANTS_REFUSED', category: 'configuration', hint: hints['42501'] },
    },
  );
}

function shortened(names: readonly string[]): string {
  return names.length <= namesMax
    ? names.join(', ')
    : `${names.slice(0, namesMax).join(', ')} and ${names.length - namesMax} more`;
}

/** By SQLSTATE. */
const hints: Readonly<Record<string, string>> = {
  '42704': 'make the user first: CREATE ROLE … LOGIN; or name another with --role',
  '3F000': 'ccx db init makes the tables; it goes first',
  '42P01': 'ccx db init makes the tables; it goes first',
  '42501': 'log in as the owner of the tables, or as a superuser: --database postgres://…',
};
