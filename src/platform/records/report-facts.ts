/**
 * `ccx.report_facts`, `ccx.catalogues` and `ccx.skipped_rules` follow `new_reports`: whoever deletes reports, in whatever way, their facts go too. Written by
 * the notification writer (its `store.ts`) in the transaction that makes the report. Our own deletions of old reports take them along; the
 * writer looks every few minutes for what others left. Facts that go too late do no harm, because they are read with their report.
 */
import {
  TABLE_CATALOGUES,
  TABLE_NEW_REPORTS,
  TABLE_REPORT_FACTS,
  TABLE_SKIPPED_RULES,
} from '../../contracts/tables.ts';
import type { Queryable } from '../database/database.ts';
import type { Companion } from '../database/delete-old-rows.ts';

/** Rows looked at by one statement, so that none holds up anybody for long. */
export const factsPageRowsMax = 5_000;
/** A catalogue, or a list of skipped rules, may be named by a batch that is being stored: it is kept this long whether or not a report names it. */
const catalogueAgeMinimum = '1 hour';

/** What goes with rows of `new_reports` that are deleted; none where the table is not there. */
export async function companionsOfReports(queryable: Queryable): Promise<readonly Companion[]> {
  const kept = await tableIsKept(queryable, TABLE_REPORT_FACTS, 'DELETE');
  return kept ? [{ table: TABLE_REPORT_FACTS, key: ['org_id', 'cluster', 'updated_at'] }] : [];
}

/** Pages of one call, some seconds. */
const pagesMaxDefault = 100;
const beginning: PageEnd = { org_id: -2_147_483_648, cluster: '', updated_at: '-infinity' };

/**
 * Answers with a function that looks through a part of the facts at each call, from where the last one stopped: facts whose report is
 * gone go, and at the end of each lap the catalogues and lists of skipped rules that no report names any more. That one answers how many rows went; 0 where the
 * tables are not there.
 */
export function createFactsSweep(pagesMax = pagesMaxDefault) {
  let after = beginning;
  let named = new Set<string>();
  return async (queryable: Queryable, signal?: AbortSignal): Promise<number> => {
    if (!(await tableIsKept(queryable, TABLE_REPORT_FACTS, 'DELETE'))) return 0;
    let deleted = 0;
    for (let pages = 0; pages < pagesMax && signal?.aborted !== true; pages += 1) {
      const page = await forgetPage(queryable, after);
      deleted += page.deleted;
      for (const catalogue of page.catalogues) named.add(catalogue);
      after = page.end ?? beginning;
      if (page.end !== undefined) continue;
      deleted += await forgetCatalogues(queryable, named);
      deleted += await forgetSkippedRules(queryable);
      named = new Set();
      break;
    }
    return deleted;
  };
}

/**
 * `named` are those of the facts that stay, as the pages told them. Only the others are looked for among all facts: nothing but a search
 * through all of them says that nobody has named one meanwhile.
 */
async function forgetCatalogues(queryable: Queryable, named: ReadonlySet<string>): Promise<number> {
  const { rowCount } = await queryable.query(
    `DELETE FROM ${TABLE_CATALOGUES} AS c
      WHERE c.stored_at < (now() AT TIME ZONE 'UTC') - interval '${catalogueAgeMinimum}'
        AND NOT ${catalogueKey('c.version', 'c.rules_sha256')} = ANY($1::text[])
        AND NOT EXISTS (SELECT FROM ${TABLE_REPORT_FACTS} AS f
                         WHERE f.catalogue_version = c.version AND f.catalogue_rules_sha256 = c.rules_sha256)`,
    [[...named]],
  );
  return rowCount;
}

/** Lists are many, and each is small; only old ones are looked for among all facts. */
async function forgetSkippedRules(queryable: Queryable): Promise<number> {
  if (!(await tableIsKept(queryable, TABLE_SKIPPED_RULES, 'DELETE'))) return 0;
  const { rowCount } = await queryable.query(
    `DELETE FROM ${TABLE_SKIPPED_RULES} AS k
      WHERE k.stored_at < (now() AT TIME ZONE 'UTC') - interval '${catalogueAgeMinimum}'
        AND NOT EXISTS (SELECT FROM ${TABLE_REPORT_FACTS} AS f WHERE f.skipped_sha256 = k.sha256)`,
  );
  return rowCount;
}

/** SQL text: one word for a catalogue. */
function catalogueKey(version: string, rulesSha256: string): string {
  return `(encode(${rulesSha256}, 'hex') || ' ' || ${version})`;
}

interface PageEnd {
  readonly org_id: number;
  readonly cluster: string;
  readonly updated_at: string;
}

interface ForgottenPage {
  readonly deleted: number;
  /** Undefined behind the last page. */
  readonly end: PageEnd | undefined;
  readonly catalogues: readonly string[];
}

async function forgetPage(queryable: Queryable, after: PageEnd): Promise<ForgottenPage> {
  const { rows } = await queryable.query<{ deleted: number; end: PageEnd | null; catalogues: readonly string[] }>(
    `WITH page AS (
       SELECT org_id, cluster, updated_at, ${catalogueKey('catalogue_version', 'catalogue_rules_sha256')} AS catalogue FROM ${TABLE_REPORT_FACTS}
        WHERE (org_id, cluster, updated_at) > ($1::int, $2::character(36), $3::timestamp)
        ORDER BY org_id, cluster, updated_at LIMIT ${factsPageRowsMax}),
     gone AS (
       DELETE FROM ${TABLE_REPORT_FACTS} AS f USING page AS p
        WHERE f.org_id = p.org_id AND f.cluster = p.cluster AND f.updated_at = p.updated_at
          AND NOT EXISTS (SELECT FROM ${TABLE_NEW_REPORTS} AS n
                           WHERE n.org_id = p.org_id AND n.cluster = p.cluster AND n.updated_at = p.updated_at)
       RETURNING f.org_id, f.cluster, f.updated_at)
     SELECT (SELECT count(*)::int FROM gone) AS deleted,
            (SELECT json_build_object('org_id', org_id, 'cluster', cluster, 'updated_at', updated_at::text)
               FROM page ORDER BY org_id DESC, cluster DESC, updated_at DESC LIMIT 1) AS "end",
            ARRAY(SELECT DISTINCT catalogue FROM page
                   WHERE catalogue IS NOT NULL AND (org_id, cluster, updated_at) NOT IN (SELECT org_id, cluster, updated_at FROM gone)) AS catalogues`,
    [after.org_id, after.cluster, after.updated_at],
  );
  const { deleted, end, catalogues } = rows[0]!;
  return { deleted, end: end ?? undefined, catalogues };
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
