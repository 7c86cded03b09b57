/**
 * Rows of the shared tables that are older than an age, oldest first, for the drop-in programs' listings. The age is any interval that
 * PostgreSQL understands and is bound, not pasted; the clock that it counts from is the database's. Source: notification-writer.md 8,
 * notification-service.md 14.
 */
import type { Database } from '../../database/database.ts';

/** Rows of a listing that are fetched at once. */
const oldRowsPerRead = 1_000;

/** To be used with the age as the statement's first parameter. */
export const IS_OLD = 'updated_at < NOW() - $1::INTERVAL';

const dayMs = 86_400_000;

interface OldRow {
  readonly org_id: number;
  readonly account_number: number;
  readonly cluster: string;
  readonly updated_at: string;
}

/** Calls `visit` for each row that `select` finds; holds a portion of the table, not the table. */
export async function visitOldRows(
  database: Database,
  { select, values }: { readonly select: string; readonly values: readonly string[] },
  visit: (row: OldRow) => void,
): Promise<void> {
  await database.transaction(
    async (tx) => {
      await tx.query(`DECLARE old_rows NO SCROLL CURSOR FOR ${select}`, [...values]);
      for (;;) {
        const { rows } = await tx.query<OldRow>(`FETCH ${oldRowsPerRead} FROM old_rows`);
        for (const row of rows) visit(row);
        if (rows.length < oldRowsPerRead) return;
      }
    },
    { readOnly: true },
  );
}

/** The fields that the reference logs of such a row; the age in days, begun ones counted. */
export function oldRowFields(row: OldRow, now: Date) {
  const updatedAt = `${row.updated_at.replace(' ', 'T').replace(/\.\d+$/, '')}Z`;
  return {
    'Organization ID': row.org_id,
    'Account number': row.account_number,
    'Cluster name': row.cluster,
    'Updated at': updatedAt,
    Age: Math.ceil((now.getTime() - new Date(updatedAt).getTime()) / dayMs),
  };
}
