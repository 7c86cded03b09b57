/** Many rows into tables that benchmarks have for themselves. */
import type { Database, Queryable } from '../../src/platform/database/database.ts';

/**
 * In one transaction, without the indexes and constraints of these tables, which are made again behind it: with them a table does not become
 * large in an hour. Of a partitioned table the indexes stay. Neither triggers nor foreign keys are looked at, so rows have to be right.
 * Needs a superuser.
 */
export async function fillWithoutIndexes(
  database: Database,
  tables: readonly string[],
  fill: (tx: Queryable) => Promise<void>,
): Promise<void> {
  await database.transaction(async (tx) => {
    const { rows: constraints } = await tx.query<{ drop: string; make: string }>(
      `SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) AS drop,
              format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(c.oid)) AS make
         FROM pg_constraint AS c JOIN pg_class AS t ON t.oid = conrelid
        WHERE t.relkind = 'r' AND (conrelid = ANY ($1::regclass[]) AND contype IN ('p', 'u', 'f') OR confrelid = ANY ($1::regclass[]))
        ORDER BY contype IN ('p', 'u')`,
      [tables],
    );
    const { rows: indexes } = await tx.query<{ drop: string; make: string }>(
      `SELECT format('DROP INDEX %s', indexrelid::regclass) AS drop, pg_get_indexdef(indexrelid) AS make
         FROM pg_index AS i JOIN pg_class AS t ON t.oid = indrelid
        WHERE t.relkind = 'r' AND indrelid = ANY ($1::regclass[])
          AND NOT EXISTS (SELECT FROM pg_constraint AS c WHERE c.conindid = indexrelid AND c.contype IN ('p', 'u'))`,
      [tables],
    );
    for (const { drop } of [...constraints, ...indexes]) await tx.query(drop);
    await tx.query(`SET LOCAL session_replication_role = 'replica'`);
    await fill(tx);
    await tx.query(`SET LOCAL session_replication_role = 'origin'`);
    await tx.query(`SET LOCAL maintenance_work_mem = '512MB'`);
    for (const { make } of [...constraints.reverse(), ...indexes]) await tx.query(make);
  });
  await database.query(`VACUUM ANALYZE ${tables.join(', ')}`);
  await database.query('CHECKPOINT');
}
