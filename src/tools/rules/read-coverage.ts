/**
 * Reads what is needed of every stored report for `ccx rules coverage`, in pages by key: neither all reports nor a transaction nor a connection is
 * held, and a pooler may give each page another one. Each page is as of one moment. Changes nothing.
 */
import { moduleOfComponent } from '../../contracts/rule-content.ts';
import {
  TABLE_CATALOGUES,
  TABLE_NEW_REPORTS,
  TABLE_REPORT_FACTS,
  TABLE_SKIPPED_RULES,
} from '../../contracts/tables.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
import { isJsonObject } from '../../encoding/json-text.ts';
import type { Queryable } from '../../platform/database/database.ts';
import { tableIsKept } from '../../platform/records/report-facts.ts';
import type { SeenReport, SilentRules } from './tally-coverage.ts';

/** Reports of one page, and their text together; the last one of a page may be larger by itself. */
const pageReportsMax = 2_000;
const pageBytesMax = 8 * 1024 * 1024;
/** A larger text is not read; the largest genuine ones have some hundred kB. */
export const reportBytesMax = 8 * 1024 * 1024;
/** Lists that are remembered as read, and used by many reports. */
const listsRememberedMax = 1_000;

interface ReportsRead {
  /** Of this organization only. */
  readonly orgId?: number | undefined;
  /** Of each cluster of an organization the newest one only. */
  readonly newest?: boolean | undefined;
}

/**
 * Every report once; one that is stored meanwhile may or may not be among them. Code `RULES_COVERAGE_TABLES` where the tables are not there, not
 * those of this release, or not ours to read.
 */
export async function* readSeenReports(queryable: Queryable, which: ReportsRead): AsyncGenerator<SeenReport> {
  await requireTables(queryable);
  const lists = new ListsRead(queryable);
  let after: PageKey | undefined = { org_id: -2_147_483_648, cluster: '', updated_at: '-infinity' };
  while (after !== undefined) {
    const rows: readonly ReportRow[] = await readPage(queryable, which, after);
    await lists.read(rows);
    for (const row of rows) yield seenReport(row, lists);
    after = rows.at(-1);
  }
}

async function requireTables(queryable: Queryable): Promise<void> {
  for (const table of [`public.${TABLE_NEW_REPORTS}`, TABLE_REPORT_FACTS, TABLE_CATALOGUES, TABLE_SKIPPED_RULES]) {
    if (await tableIsKept(queryable, table, 'SELECT')) continue;
    throw new CcxError(`there is no table ${table} in this database, or no right to read it`, {
      code: 'RULES_COVERAGE_TABLES',
      category: 'storage',
      hint: 'name the right database with --database or --data; ccx db init makes the tables, ccx db grants prints the rights',
    });
  }
}

interface PageKey {
  readonly org_id: number;
  readonly cluster: string;
  readonly updated_at: string;
}

interface ReportRow extends PageKey {
  /** Null when it is too large. */
  readonly report: string | null;
  readonly described: boolean;
  readonly catalogue: string | null;
  readonly list: string | null;
  /** Of an earlier release, in place of a list. */
  readonly skipped: SilentRules | null;
  readonly did_not_run: SilentRules | null;
}

const newestOnly = `AND NOT EXISTS (SELECT FROM ${TABLE_NEW_REPORTS} AS later
          WHERE later.org_id = n.org_id AND later.cluster = n.cluster AND later.updated_at > n.updated_at)`;

/** A text is sized where it lies: only those of this page are unpacked. */
async function readPage(queryable: Queryable, { orgId, newest }: ReportsRead, after: PageKey): Promise<ReportRow[]> {
  const { rows } = await queryable.query<ReportRow>(
    `WITH page AS (
       SELECT org_id, cluster, updated_at, report, octet_length(report) <= ${reportBytesMax} AS is_read,
              sum(least(octet_length(report), ${reportBytesMax})) OVER (ORDER BY org_id, cluster, updated_at) - octet_length(report) AS bytes_before
         FROM (SELECT org_id, cluster, updated_at, report FROM ${TABLE_NEW_REPORTS} AS n
                WHERE (org_id, cluster, updated_at) > ($1::int, $2::bpchar, $3::timestamp)
                  AND ($4::int IS NULL OR org_id = $4::int) ${newest === true ? newestOnly : ''}
                ORDER BY org_id, cluster, updated_at LIMIT ${pageReportsMax}) AS next)
     SELECT p.org_id, p.cluster, p.updated_at, CASE WHEN p.is_read THEN p.report END AS report,
            f.org_id IS NOT NULL AS described, f.catalogue_version || ' ' || encode(f.catalogue_rules_sha256, 'hex') AS catalogue,
            encode(f.skipped_sha256, 'hex') AS list, f.skipped, f.did_not_run
       FROM page AS p LEFT JOIN ${TABLE_REPORT_FACTS} AS f USING (org_id, cluster, updated_at)
      WHERE p.bytes_before < ${pageBytesMax}
      ORDER BY p.org_id, p.cluster, p.updated_at`,
    [after.org_id, after.cluster, after.updated_at, orgId ?? null],
  );
  return rows;
}

/** What many reports have in common, read once. */
class ListsRead {
  readonly #queryable: Queryable;
  readonly catalogues = new Map<string, ReadonlySet<string>>();
  readonly lists = new Map<string, SilentRules>();

  constructor(queryable: Queryable) {
    this.#queryable = queryable;
  }

  /** Behind it everything that these rows name is there, if the database has it. */
  async read(rows: readonly ReportRow[]): Promise<void> {
    for (const known of [this.catalogues, this.lists]) if (known.size > listsRememberedMax) known.clear();
    const catalogues = missing(this.catalogues, rows, ({ catalogue }) => catalogue);
    if (catalogues.length > 0) {
      const { rows: read } = await this.#queryable.query<{ key: string; rules: readonly string[] }>(
        `SELECT version || ' ' || encode(rules_sha256, 'hex') AS key, rules FROM ${TABLE_CATALOGUES}
          WHERE version || ' ' || encode(rules_sha256, 'hex') = ANY($1::text[])`,
        [catalogues],
      );
      for (const { key, rules } of read) this.catalogues.set(key, new Set(rules));
    }
    const lists = missing(this.lists, rows, ({ list }) => list);
    if (lists.length === 0) return;
    const { rows: read } = await this.#queryable.query<{ key: string; rules: SilentRules }>(
      `SELECT encode(sha256, 'hex') AS key, rules FROM ${TABLE_SKIPPED_RULES}
        WHERE sha256 = ANY(SELECT decode(key, 'hex') FROM unnest($1::text[]) AS key)`,
      [lists],
    );
    for (const { key, rules } of read) this.lists.set(key, rules);
  }
}

function missing(
  known: ReadonlyMap<string, unknown>,
  rows: readonly ReportRow[],
  keyOf: (row: ReportRow) => string | null,
): string[] {
  const keys = new Set(rows.map(keyOf));
  return [...keys].filter((key): key is string => key !== null && !known.has(key));
}

const none: SilentRules = {};

function seenReport(row: ReportRow, { catalogues, lists }: ListsRead): SeenReport {
  return {
    hits: row.report === null ? undefined : readHits(row.report),
    described: row.described,
    catalogue: row.catalogue === null ? undefined : catalogues.get(row.catalogue),
    skipped: row.skipped ?? (row.list === null ? undefined : lists.get(row.list)) ?? none,
    didNotRun: row.did_not_run ?? none,
  };
}

/** Undefined for what is no report. What is no hit with names in it is left out, as by whoever reads them for notifications. */
function readHits(text: string): SeenReport['hits'] {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (document === null) return [];
  if (!isJsonObject(document)) return undefined;
  const reports = Object.hasOwn(document, 'reports') ? document['reports'] : null;
  if (reports === null) return [];
  if (!Array.isArray(reports)) return undefined;
  return reports.flatMap((item) => {
    const { component, key } = isJsonObject(item) ? item : {};
    return typeof component === 'string' && typeof key === 'string' && component !== ''
      ? [{ module: moduleOfComponent(component), errorKey: key }]
      : [];
  });
}
