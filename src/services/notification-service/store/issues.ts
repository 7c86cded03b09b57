/**
 * Writes what reports say of the issues of their clusters, whatever the targets: once per report, in the transaction of its decisions.
 * Whoever moves `issues_report_at` of a cluster forward holds its row until it has written the changes of its issues and their events;
 * another process waits for the row, finds the report compared, and writes nothing. What did not change is not written: of a report with
 * the issues of the one before, the cluster's row alone. Called by `decisions.ts`; what changes is `decide/track-issues.ts`'s business.
 */

import { type Issue, type IssueState, issueIdentity } from '../../../contracts/issue.ts';
import { moduleOfComponent } from '../../../contracts/rule-content.ts';
import { TABLE_CLUSTERS, TABLE_ISSUES } from '../../../contracts/tables.ts';
import type { Connection, Queryable } from '../../../platform/database/database.ts';
import { type RecordedIssueEvent, recordIssueEvents } from '../../../platform/records/issue-events.ts';
import { absenceIn } from '../decide/decide-cluster.ts';
import { type HeldIssue, type KnownIssue, trackIssues } from '../decide/track-issues.ts';
import { timestampText } from '../timestamps.ts';
import { type RuleOfReport, readRemovedRules, type StoredReport } from './reports.ts';
import { unnest } from './row-arrays.ts';
import { rowsJson } from './transact.ts';

/** A report that its cluster's issues were not compared with yet. */
export interface TrackedReport
  extends Pick<StoredReport, 'orgId' | 'cluster' | 'updatedAt' | 'didNotRun' | 'catalogue'> {
  readonly issues: readonly HeldIssue[];
}

/** Smallint; nothing real is near it. */
const totalRiskMax = 32_767;

export function storableRisk(totalRisk: number | undefined): number | null {
  return Number.isInteger(totalRisk) && Math.abs(totalRisk!) <= totalRiskMax ? totalRisk! : null;
}

/** Answers what happened to issues, in the order of the reports; `resolved` among it are those that became so with these reports. */
export async function writeIssues(
  tx: Connection,
  what: { readonly reports: readonly TrackedReport[]; readonly resolvedAfter: number; readonly nowMicros: bigint },
): Promise<readonly RecordedIssueEvent[]> {
  if (what.reports.length === 0) return [];
  const moved = await moveForward(tx, what);
  if (moved.length === 0) return [];
  const tracked = await compareIssues({ database: tx }, moved, what.resolvedAfter);
  await writeChanges(tx, tracked);
  await correctCounts(tx, tracked);
  const events = tracked.flatMap(({ events: happened }) => happened);
  await recordIssueEvents(tx, events);
  return events;
}

interface MovedReport extends TrackedReport {
  /** The report that the issues were compared with before. */
  readonly previousReportAt: string | undefined;
}

interface Tracked extends Pick<ReturnType<typeof trackIssues>, 'changed' | 'open'> {
  readonly report: MovedReport;
  readonly events: readonly RecordedIssueEvent[];
}

/** What these reports do to the issues of their clusters; changes nothing. */
export async function compareIssues(
  { database }: { readonly database: Queryable },
  reports: readonly MovedReport[],
  resolvedAfter: number,
): Promise<readonly Tracked[]> {
  const known = await readIssues(database, reports);
  const isRemoved = await readRemovedRules(
    { database },
    reports.flatMap((report) => rulesOfLost(report, known)),
  );
  return reports.map((report) => {
    const { orgId, cluster, catalogue, didNotRun, issues, updatedAt, previousReportAt } = report;
    const { events, ...answer } = trackIssues({
      ...{ reportAt: updatedAt, previousReportAt, issues, resolvedAfter },
      known: known.get(keyOf(report)) ?? [],
      absence: absenceIn(didNotRun, (module) => isRemoved({ catalogue, module })),
    });
    return { report, ...answer, events: events.map((event) => ({ at: updatedAt, orgId, cluster, ...event })) };
  });
}

function keyOf({ orgId, cluster }: { readonly orgId: number; readonly cluster: string }): string {
  return `${orgId}/${cluster}`;
}

function countsOf(open: readonly HeldIssue[]) {
  const count = (risk: number) => open.filter(({ totalRisk }) => totalRisk === risk).length;
  return { low: count(1), moderate: count(2), important: count(3), critical: count(4) };
}

const clusterColumns = `
  org_id int, cluster bpchar, report_at timestamp, low int, moderate int, important int,
  critical int`;

/**
 * In order of the key, as whoever else locks rows of clusters. A report from before its cluster was retired says nothing any more; a newer
 * one brings the cluster back.
 */
async function moveForward(
  tx: Connection,
  { reports, nowMicros }: { readonly reports: readonly TrackedReport[]; readonly nowMicros: bigint },
): Promise<readonly MovedReport[]> {
  const values: unknown[] = [timestampText(nowMicros)];
  const given = unnest(
    's',
    values,
    clusterColumns,
    reports.map((report) => ({
      ...{ org_id: report.orgId, cluster: report.cluster, report_at: report.updatedAt },
      ...countsOf(report.issues),
    })),
  );
  const { rows } = await tx.query<{ orgId: number; cluster: string; previous: string | null }>(
    `INSERT INTO ${TABLE_CLUSTERS} AS c
            (org_id, cluster, last_report_at, issues_report_at, low, moderate, important, critical, state, state_since)
     SELECT s.org_id, s.cluster, s.report_at, s.report_at, s.low, s.moderate, s.important, s.critical, 'reporting', $1::timestamp
       FROM ${given}
      ORDER BY s.org_id, s.cluster
     ON CONFLICT (org_id, cluster) DO UPDATE
        SET issues_report_at = excluded.issues_report_at, last_report_at = greatest(c.last_report_at, excluded.last_report_at),
            low = excluded.low, moderate = excluded.moderate, important = excluded.important, critical = excluded.critical,
            state = 'reporting', state_since = CASE c.state WHEN 'reporting' THEN c.state_since ELSE excluded.state_since END
      WHERE (c.issues_report_at IS NULL OR c.issues_report_at < excluded.issues_report_at)
        AND (c.state <> 'retired' OR c.state_since < excluded.issues_report_at)
     RETURNING c.org_id AS "orgId", rtrim(c.cluster) AS cluster,
               (SELECT b.issues_report_at FROM ${TABLE_CLUSTERS} AS b WHERE b.org_id = c.org_id AND b.cluster = c.cluster) AS previous`,
    values,
  );
  const before = new Map(rows.map(({ previous, ...key }) => [keyOf(key), previous ?? undefined]));
  return reports.flatMap((report) =>
    before.has(keyOf(report)) ? [{ ...report, previousReportAt: before.get(keyOf(report)) }] : [],
  );
}

async function readIssues(
  queryable: Queryable,
  reports: readonly MovedReport[],
): Promise<ReadonlyMap<string, KnownIssue[]>> {
  const { rows } = await queryable.query<KnownIssue & { orgId: number; cluster: string; state: IssueState }>(
    `SELECT i.org_id AS "orgId", rtrim(i.cluster) AS cluster, i.type, i.component, i.error_key AS "errorKey", i.state,
            i.total_risk AS "totalRisk", i.appeared_at AS "appearedAt", i.last_seen_at AS "lastSeenAt", i.missed,
            i.changed_at AS "changedAt"
       FROM json_to_recordset($1) AS w(org_id int, cluster character(36))
       JOIN ${TABLE_ISSUES} AS i ON i.org_id = w.org_id AND i.cluster = w.cluster`,
    [rowsJson(reports.map(({ orgId, cluster }) => ({ org_id: orgId, cluster })))],
  );
  return Map.groupBy(rows, keyOf);
}

/** For most sets there are none, and no catalogue is read. */
function rulesOfLost(report: MovedReport, known: ReadonlyMap<string, readonly KnownIssue[]>): readonly RuleOfReport[] {
  const held = new Set(report.issues.map(issueIdentity));
  return (known.get(keyOf(report)) ?? [])
    .filter((issue) => (issue.state === 'open' || issue.state === 'gone') && !held.has(issueIdentity(issue)))
    .map(({ component }) => ({ catalogue: report.catalogue, module: moduleOfComponent(component) }));
}

const issueColumns = `
  org_id int, cluster bpchar, type text, component text, error_key text, state text,
  total_risk smallint, appeared_at timestamp, last_seen_at timestamp, missed int,
  changed_at timestamp`;

async function writeChanges(tx: Connection, tracked: readonly Tracked[]): Promise<void> {
  const rows = tracked.flatMap(({ report, changed }) =>
    changed.map((issue) => ({
      ...{ org_id: report.orgId, cluster: report.cluster, ...columnsOf(issue) },
      ...{ state: issue.state, total_risk: issue.totalRisk, appeared_at: issue.appearedAt },
      ...{ last_seen_at: issue.lastSeenAt, missed: issue.missed, changed_at: issue.changedAt },
    })),
  );
  if (rows.length === 0) return;
  const values: unknown[] = [];
  const given = unnest('s', values, issueColumns, rows);
  await tx.query(
    `INSERT INTO ${TABLE_ISSUES} AS i
            (org_id, cluster, type, component, error_key, state, total_risk, first_seen_at, appeared_at, last_seen_at, missed, changed_at)
     SELECT org_id, cluster, type, component, error_key, state, total_risk, appeared_at, appeared_at, last_seen_at, missed, changed_at
       FROM ${given}
     ON CONFLICT (org_id, cluster, type, component, error_key) DO UPDATE
        SET state = excluded.state, total_risk = excluded.total_risk, appeared_at = excluded.appeared_at,
            last_seen_at = excluded.last_seen_at, missed = excluded.missed, changed_at = excluded.changed_at`,
    values,
  );
}

function columnsOf({ type, component, errorKey }: Issue) {
  return { type, component, error_key: errorKey };
}

/** Issues that are open although the report does not hold them, because their rule did not run, count too. */
async function correctCounts(tx: Connection, tracked: readonly Tracked[]): Promise<void> {
  const rows = tracked
    .filter(({ report, open }) => JSON.stringify(countsOf(open)) !== JSON.stringify(countsOf(report.issues)))
    .map(({ report, open }) => ({ org_id: report.orgId, cluster: report.cluster, ...countsOf(open) }));
  if (rows.length === 0) return;
  await tx.query(
    `UPDATE ${TABLE_CLUSTERS} AS c
        SET low = s.low, moderate = s.moderate, important = s.important, critical = s.critical
       FROM json_to_recordset($1) AS s(org_id int, cluster character(36), low int, moderate int, important int, critical int)
      WHERE c.org_id = s.org_id AND c.cluster = s.cluster`,
    [rowsJson(rows)],
  );
}
