/** Turns "permission denied" of a migration into the statements that somebody with more rights has to run. Called by `migrateCcx`. */
import pg from 'pg';
import { CcxError } from '../../contracts/ccx-error.ts';
import type { Database } from './database.ts';

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
  return new CcxError(`user "${rights.user}" lacks rights in schema ccx: ${(cause as Error).message}`, {
    code: 'DATABASE_PERMISSION',
    category: 'storage',
    cause,
    hint: grantStatements(rights, (cause as Error).message).join(' '),
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
