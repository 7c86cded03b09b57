/**
 * Turns "permission denied" into the statements that somebody with more rights has to run, and asks for rights before work that must not
 * stop in its middle. Called by `migrateCcx` and by the commands that clean.
 */
import pg from 'pg';
import { CcxError } from '../../encoding/ccx-error.ts';
import type { Database, Queryable } from './database.ts';

interface Rights {
  readonly user: string;
  readonly database: string;
  readonly mayCreateSchema: boolean;
  readonly schemaExists: boolean;
  readonly mayUseSchema: boolean;
  readonly mayCreateTables: boolean;
  /** Owners of tables in `ccx` whose role the user does not have: ALTER TABLE needs it. */
  readonly foreignOwners: readonly string[];
}

/** `cause` is the server's error with SQLSTATE 42501. The hint holds statements that work as they are. */
export async function describeMissingRights(database: Database, cause: unknown): Promise<CcxError> {
  const rights = await readRights(database);
  return new CcxError(
    `user "${rights.user}" lacks rights in schema ccx, whose tables an administrator makes with ccx db init: ${(cause as Error).message}`,
    {
      code: 'DATABASE_PERMISSION',
      category: 'storage',
      cause,
      hint: grantStatements(rights, (cause as Error).message).join(' '),
    },
  );
}

/**
 * Rejects with `DATABASE_PERMISSION` and the GRANT where one of these tables of schema `ccx` is there and the user may not do all of this
 * with it. What is not there needs no right. Asks the catalog only, which everybody may.
 */
export async function requireTableRights(
  queryable: Queryable,
  tables: readonly string[],
  privileges: readonly ('SELECT' | 'INSERT' | 'UPDATE' | 'DELETE')[],
): Promise<void> {
  const { rows } = await queryable.query<{ user: string; table: string }>(
    `SELECT current_user::text AS "user", n.nspname || '.' || c.relname AS "table"
       FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
      WHERE n.nspname || '.' || c.relname = ANY($1::text[])
        AND NOT (has_schema_privilege(n.oid, 'USAGE')
                 AND (SELECT bool_and(has_table_privilege(c.oid, privilege)) FROM unnest($2::text[]) AS privilege))
      ORDER BY 2`,
    [tables, privileges],
  );
  const first = rows[0];
  if (first === undefined) return;
  const user = pg.escapeIdentifier(first.user);
  const missing = rows.map(({ table }) => table).join(', ');
  throw new CcxError(`user "${first.user}" lacks rights on ${missing}: nothing was changed`, {
    code: 'DATABASE_PERMISSION',
    category: 'storage',
    hint: `GRANT USAGE ON SCHEMA ccx TO ${user}; GRANT ${privileges.join(', ')} ON ${missing} TO ${user}; ccx db grants prints all that a role needs`,
  });
}

async function readRights(database: Database): Promise<Rights> {
  const { rows } = await database.query<Rights>(`
    SELECT current_user::text AS "user",
           current_database()::text AS database,
           has_database_privilege(current_database(), 'CREATE') AS "mayCreateSchema",
           n.oid IS NOT NULL AS "schemaExists",
           coalesce(has_schema_privilege(n.oid, 'USAGE'), false) AS "mayUseSchema",
           coalesce(has_schema_privilege(n.oid, 'CREATE'), false) AS "mayCreateTables",
           ARRAY(SELECT DISTINCT pg_get_userbyid(c.relowner)::text
                   FROM pg_class c
                  WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'S', 'v')
                    AND NOT pg_has_role(c.relowner, 'MEMBER')
                  ORDER BY 1) AS "foreignOwners"
      FROM (VALUES (1)) AS one
      LEFT JOIN pg_namespace n ON n.nspname = 'ccx'`);
  return rows[0]!;
}

function grantStatements(rights: Rights, message: string): string[] {
  const user = pg.escapeIdentifier(rights.user);
  if (!rights.schemaExists) {
    return rights.mayCreateSchema
      ? []
      : [`GRANT CREATE ON DATABASE ${pg.escapeIdentifier(rights.database)} TO ${user};`];
  }
  const statements: string[] = [];
  if (!rights.mayUseSchema || !rights.mayCreateTables) statements.push(`GRANT USAGE, CREATE ON SCHEMA ccx TO ${user};`);
  if (/must be owner/.test(message)) {
    statements.push(...rights.foreignOwners.map((owner) => `GRANT ${pg.escapeIdentifier(owner)} TO ${user};`));
  } else if (statements.length === 0 || rights.foreignOwners.length > 0) {
    statements.push(
      `GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES ON ALL TABLES IN SCHEMA ccx TO ${user};`,
    );
  }
  return statements;
}
