/**
 * `ccx db grants`: what the user that the roles log in as needs, so that they need no right to create anything: SELECT, INSERT, UPDATE,
 * DELETE and USAGE; and the fewer rights of a user of its own for the results API, which others call. Printed for an administrator, or
 * executed.
 */
import { type Command, Option } from 'commander';
import pg from 'pg';
import { TABLE_ACKNOWLEDGEMENTS, TABLE_AUDIT, TABLE_NEW_REPORTS, TABLE_ROLES } from '../../contracts/tables.ts';
import { CcxError, configInvalid } from '../../encoding/ccx-error.ts';
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
  readonly for: Needs;
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
      new Option('--for <roles>', 'all of them, or results alone, for a user of its own that changes little')
        .choices(['all', 'results'])
        .default('all'),
    )
    .addOption(
      new Option('--bus <kind>', 'postgres: the topics are in this database, too').choices(['postgres', 'kafka']),
    )
    .option('--apply', 'execute it as well, all or nothing; in ccx audit list')
    .option('--json', 'one JSON object')
    .addHelpText('after', examples('ccx db grants --role ccx | psql notification', 'ccx db grants --role ccx --apply'))
    .action(
      async ({ role: named, to, for: needs, bus, apply = false, json = false }: GrantsFlags, command: Command) => {
        const role = to ?? named;
        const embeddedBus = bus === 'postgres';
        if (embeddedBus && needs === 'results')
          throw configInvalid('ccx results reads no topics', 'leave out --bus, or --for results');
        const statements = grantStatements(role, { embeddedBus, needs });
        const byWhom = byWhomOf(command);
        if (apply)
          await tool.withDatabase(command, (database) => applyGrants(database, { role, embeddedBus, needs, byWhom }));
        if (json) printJson({ role, applied: apply, statements });
        else for (const statement of statements) print(statement);
      },
    );
}

/** Of which roles. */
type Needs = 'all' | 'results';

type Privilege = 'SELECT' | 'INSERT' | 'UPDATE' | 'DELETE';

interface TableRights {
  readonly privileges: readonly Privilege[];
  readonly on: typeof allOurs | readonly string[];
}

/** As SQL names them. */
const allOurs = 'ALL TABLES IN SCHEMA ccx';
const everything: readonly Privilege[] = ['SELECT', 'INSERT', 'UPDATE', 'DELETE'];

const tableRights: Readonly<Record<Needs, readonly TableRights[]>> = {
  all: [
    { privileges: ['SELECT'], on: ['event_targets', 'migration_info', 'notification_types', 'states'] },
    { privileges: everything, on: ['new_reports', 'reported', 'read_errors'] },
    { privileges: everything, on: allOurs },
  ],
  // What is acknowledged, who changed it, and that the process runs; nothing is deleted.
  results: [
    { privileges: ['SELECT'], on: [TABLE_NEW_REPORTS] },
    { privileges: ['SELECT'], on: allOurs },
    { privileges: ['INSERT'], on: [TABLE_AUDIT] },
    { privileges: ['INSERT', 'UPDATE'], on: [TABLE_ACKNOWLEDGEMENTS, TABLE_ROLES] },
  ],
};
/** The one sequence that is no part of its table. */
const readErrorsSequence = 'read_errors_error_id_seq';

interface WhatFor {
  readonly embeddedBus: boolean;
  readonly needs?: Needs;
}

/** SQL for the user that roles log in as; to be run when the tables are there, and again after an upgrade of them. */
export function grantStatements(user: string, { embeddedBus, needs = 'all' }: WhatFor): string[] {
  const to = `TO ${pg.escapeIdentifier(user)};`;
  return [
    `GRANT USAGE ON SCHEMA public, ccx ${to}`,
    ...tableRights[needs].map(
      ({ privileges, on }) => `GRANT ${privileges.join(', ')} ON ${on === allOurs ? on : on.join(', ')} ${to}`,
    ),
    ...(needs === 'all' ? [`GRANT USAGE ON SEQUENCE ${readErrorsSequence} ${to}`] : []),
    // Topics of the embedded bus are tables that it makes and drops as they fill.
    ...(embeddedBus ? [`GRANT CREATE ON SCHEMA ccx ${to}`] : []),
  ];
}

interface Grantee extends Required<WhatFor> {
  readonly role: string;
  readonly byWhom: ByWhom;
}

/** All of them or none, audited. Code: `GRANTS_REFUSED` with what to do first. */
async function applyGrants(database: Database, grantee: Grantee): Promise<void> {
  const { role, embeddedBus, needs, byWhom } = grantee;
  try {
    await database.transaction(async (tx) => {
      for (const statement of grantStatements(role, grantee)) await tx.query(statement);
      await requireGranted(tx, grantee);
      const after = { embeddedBus, for: needs };
      await recordAuditWhereKept(tx, { ...byWhom, action: 'db grants', subject: role, after });
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
async function requireGranted(tx: Connection, { role, embeddedBus, needs }: Omit<Grantee, 'byWhom'>): Promise<void> {
  const wanted = tableRights[needs].flatMap(({ privileges, on }) =>
    privileges.flatMap((privilege) => (on === allOurs ? [null] : on).map((name) => ({ privilege, name }))),
  );
  const { rows } = await tx.query<{ missing: string }>(
    `SELECT DISTINCT c.oid::regclass::text AS missing
       FROM json_to_recordset($2) AS wanted (privilege text, name text)
       JOIN pg_class AS c
         ON CASE WHEN wanted.name IS NULL THEN c.relnamespace = 'ccx'::regnamespace AND c.relkind IN ('r', 'p')
                 ELSE c.oid = wanted.name::regclass END
      WHERE NOT has_table_privilege($1, c.oid, wanted.privilege)
     UNION ALL
     SELECT 'schema ' || n.nspname FROM pg_namespace AS n
      WHERE n.nspname IN ('public', 'ccx') AND NOT has_schema_privilege($1, n.oid, 'USAGE')
         OR n.nspname = 'ccx' AND $3 AND NOT has_schema_privilege($1, n.oid, 'CREATE')
     UNION ALL
     SELECT $4::text WHERE $5 AND NOT has_sequence_privilege($1, $4, 'USAGE')
     ORDER BY 1`,
    [role, JSON.stringify(wanted), embeddedBus, readErrorsSequence, needs === 'all'],
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
