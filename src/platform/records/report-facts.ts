/**
 * `ccx.report_facts` and `ccx.catalogues` follow `new_reports`: whoever deletes reports, in whatever way, their facts go too. Written by
 * the notification writer (its `store.ts`) in the transaction that makes the report; whoever cleans `new_reports` calls this afterwards,
 * and the writer every few minutes for what others deleted. Facts that go too late do no harm, because they are read with their report.
 */
import { TABLE_CATALOGUES, TABLE_NEW_REPORTS, TABLE_REPORT_FACTS } from '../../contracts/tables.ts';
import type { Queryable } from '../database/database.ts';

/** Rows looked at by one statement, so that none holds up anybody for long. */
export const factsPageRowsMax = 5_000;
/** A catalogue may be named by a batch that is being stored: it is kept this long whether or not a report names it. */
const catalogueAgeMinimum = '1 hour';

/** Facts whose report is gone, and catalogues that no report names any more. Answers how many rows went; 0 where the tables are not there. */
export async function forgetFactsWithoutReport(
  queryable: Queryable,
  options: { readonly signal?: AbortSignal } = {},
): Promise<number> {
  if (!(await tableIsKept(queryable, TABLE_REPORT_FACTS, 'DELETE'))) return 0;
  let deleted = 0;
  let after: PageEnd | undefined = { org_id: -2_147_483_648, cluster: '', updated_at: '-infinity' };
  while (after !== undefined && options.signal?.aborted !== true) {
    const page: { readonly deleted: number; readonly end: PageEnd | undefined } = await forgetPage(queryable, after);
    deleted += page.deleted;
    after = page.end;
  }
  if (options.signal?.aborted === true) return deleted;
  const { rowCount } = await queryable.query(
    `DELETE FROM ${TABLE_CATALOGUES} AS c
      WHERE c.stored_at < (now() AT TIME ZONE 'UTC') - interval '${catalogueAgeMinimum}'
        AND NOT EXISTS (SELECT FROM ${TABLE_REPORT_FACTS} AS f
                         WHERE f.catalogue_version = c.version AND f.catalogue_rules_sha256 = c.rules_sha256)`,
  );
  return deleted + rowCount;
}

interface PageEnd {
  readonly org_id: number;
  readonly cluster: string;
  readonly updated_at: string;
}

/** `end` is undefined behind the last page. */
async function forgetPage(queryable: Queryable, after: PageEnd) {
  const { rows } = await queryable.query<{ deleted: number; end: PageEnd | null }>(
    `WITH page AS (
       SELECT org_id, cluster, updated_at FROM ${TABLE_REPORT_FACTS}
        WHERE (org_id, cluster, updated_at) > ($1::int, $2::character(36), $3::timestamp)
        ORDER BY org_id, cluster, updated_at LIMIT ${factsPageRowsMax}),
     gone AS (
       DELETE FROM ${TABLE_REPORT_FACTS} AS f USING page AS p
        WHERE f.org_id = p.org_id AND f.cluster = p.cluster AND f.updated_at = p.updated_at
          AND NOT EXISTS (SELECT FROM ${TABLE_NEW_REPORTS} AS n
                           WHERE n.org_id = p.org_id AND n.cluster = p.cluster AND n.updated_at = p.updated_at)
       RETURNING 1)
     SELECT (SELECT count(*)::int FROM gone) AS deleted,
            (SELECT json_build_object('org_id', org_id, 'cluster', cluster, 'updated_at', updated_at::text)
               FROM page ORDER BY org_id DESC, cluster DESC, updated_at DESC LIMIT 1) AS "end"`,
    [after.org_id, after.cluster, after.updated_at],
  );
  return { deleted: rows[0]!.deleted, end: rows[0]!.end ?? undefined };
}

/**
 * Whether a table of ours is there and this role may use it so. Asked of the catalog: a role without rights on schema `ccx` gets an error
 * for naming the table, and may still clean the shared ones.
 */
export async function tableIsKept(
  queryable: Queryable,
  table: string,
  privilege: 'SELECT' | 'DELETE',
): Promise<boolean> {
  const { rows } = await queryable.query<{ kept: boolean }>(
    `SELECT EXISTS (
       SELECT FROM pg_namespace AS n JOIN pg_class AS c ON c.relnamespace = n.oid
        WHERE n.nspname || '.' || c.relname = $1 AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, $2)) AS kept`,
    [table, privilege],
  );
  return rows[0]!.kept;
}
