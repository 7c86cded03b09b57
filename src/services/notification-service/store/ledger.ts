/**
 * Reads what deciding a set of clusters needs, one statement each: the reports with what was considered before, the ledger, and the `sent`
 * rows that somebody else wrote. The versions of what was considered are read before the ledger: whatever changes after them is
 * noticed when the decisions are written. Called by the load and decide steps. Source: notification-service.md 5.2, 8.2.
 */

import type { Issue } from '../../../contracts/issue.ts';
import {
  STATE_SENT,
  TABLE_CATALOGUES,
  TABLE_NEW_REPORTS,
  TABLE_NOTIFICATION_CONSIDERED,
  TABLE_NOTIFICATION_LEDGER,
  TABLE_NOTIFICATION_SENT_ROWS,
  TABLE_REPORT_FACTS,
  TABLE_REPORTED,
  TABLE_STORED_MESSAGE,
} from '../../../contracts/tables.ts';
import type { Queryable } from '../../../platform/database/database.ts';
import type { LedgerIssue, LedgerState } from '../decide/decide-cluster.ts';
import { reportBytesMax } from '../decide/read-report.ts';
import type { CatalogueKey, Considered, LoadedReport } from '../run.ts';
import { timestampMicros } from '../timestamps.ts';
import type { DueKey } from './reports.ts';
import { rowsJson } from './transact.ts';

/** `sent` rows of other writers read together with a set: a week of them for each of its clusters is far below. */
const foreignRowsMax = 20_000;

/** A report without the targets that it is due for. */
export type StoredReport = Omit<LoadedReport, 'dueFor'>;

interface ReportRow {
  readonly org_id: number;
  readonly account_number: number;
  readonly cluster: string;
  readonly updated_at: string;
  readonly report: string | null;
  readonly bytes: number;
  readonly considered: readonly ConsideredRow[] | null;
  readonly request_id: string | null;
  readonly did_not_run: readonly string[] | null;
  readonly catalogue_version: string | null;
  readonly catalogue_rules: string | null;
}

interface ConsideredRow {
  readonly event_type_id: number;
  readonly org_id: number;
  readonly report_updated_at: string;
  readonly policy_hash: string;
  readonly next_due_at: string | null;
  readonly version: string;
}

/** Reports that vanished in between are left out. */
export async function readReports(
  queryable: Queryable,
  keys: readonly DueKey[],
  how: { readonly eventTargetIds: readonly number[]; readonly requestIdsKept: boolean },
): Promise<StoredReport[]> {
  const requestId = how.requestIdsKept
    ? `(SELECT m.request_id FROM ${TABLE_STORED_MESSAGE} AS m
         WHERE m.org_id = r.org_id AND m.cluster = r.cluster AND m.updated_at = r.updated_at LIMIT 1)`
    : 'NULL';
  const { rows } = await queryable.query<ReportRow>(
    `SELECT r.org_id, r.account_number, rtrim(r.cluster) AS cluster, r.updated_at, octet_length(r.report) AS bytes,
            CASE WHEN octet_length(r.report) <= $3::int THEN r.report END AS report,
            (SELECT json_agg(json_build_object(
                      'event_type_id', c.event_type_id, 'org_id', c.org_id, 'report_updated_at', c.report_updated_at::text,
                      'policy_hash', c.policy_hash, 'next_due_at', c.next_due_at::text, 'version', c.version::text))
               FROM ${TABLE_NOTIFICATION_CONSIDERED} AS c
              WHERE c.cluster = r.cluster AND c.event_type_id = ANY($2::int[])) AS considered,
            ${requestId} AS request_id, f.catalogue_version, encode(f.catalogue_rules_sha256, 'hex') AS catalogue_rules,
            CASE WHEN jsonb_typeof(f.did_not_run) = 'object'
                 THEN ARRAY(SELECT jsonb_object_keys(f.did_not_run)) END AS did_not_run
       FROM json_to_recordset($1) AS k(org_id int, cluster character(36), updated_at timestamp)
       JOIN ${TABLE_NEW_REPORTS} AS r USING (org_id, cluster, updated_at)
       LEFT JOIN ${TABLE_REPORT_FACTS} AS f USING (org_id, cluster, updated_at)
      ORDER BY r.cluster`,
    [
      rowsJson(keys.map((key) => ({ org_id: key.orgId, cluster: key.cluster, updated_at: key.updatedAt }))),
      how.eventTargetIds,
      reportBytesMax,
    ],
  );
  return rows.map((row) => ({
    orgId: row.org_id,
    accountNumber: row.account_number,
    cluster: row.cluster,
    updatedAt: row.updated_at,
    requestId: row.request_id === null || row.request_id === '' ? undefined : row.request_id,
    text: row.report ?? undefined,
    bytes: row.bytes,
    didNotRun: new Set(row.did_not_run),
    catalogue:
      row.catalogue_version === null || row.catalogue_rules === null
        ? undefined
        : { version: row.catalogue_version, rulesSha256: row.catalogue_rules },
    considered: new Map(
      (row.considered ?? []).map((considered) => [considered.event_type_id, readConsidered(considered)]),
    ),
  }));
}

function readConsidered(row: ConsideredRow): Considered {
  return {
    orgId: row.org_id,
    reportUpdatedAt: row.report_updated_at,
    policyHash: row.policy_hash,
    nextDueMicros: row.next_due_at === null ? null : timestampMicros(row.next_due_at),
    version: BigInt(row.version),
  };
}

/** A rule, by its module, and the catalogue that made a report, where that is known. */
export interface RuleOfReport {
  readonly catalogue: CatalogueKey | undefined;
  readonly module: string;
}

/** Which of these rules are not in their catalogue any more; none where the catalogue is not known. */
export async function readRemovedRules(
  queryable: Queryable,
  wanted: readonly RuleOfReport[],
): Promise<(rule: RuleOfReport) => boolean> {
  const rows = wanted.flatMap(({ catalogue, module }) => (catalogue === undefined ? [] : [{ ...catalogue, module }]));
  if (rows.length === 0) return () => false;
  const removed = await queryable.query<(typeof rows)[number]>(
    `SELECT w.version, w."rulesSha256", w.module
       FROM json_to_recordset($1) AS w(version text, "rulesSha256" text, module text)
       JOIN ${TABLE_CATALOGUES} AS c ON c.version = w.version AND c.rules_sha256 = decode(w."rulesSha256", 'hex')
      WHERE w.module <> ALL (c.rules)`,
    [rowsJson(rows)],
  );
  const keyOf = ({ version, rulesSha256 }: CatalogueKey, module: string) => `${version}\0${rulesSha256}\0${module}`;
  const keys = new Set(removed.rows.map(({ module, ...catalogue }) => keyOf(catalogue, module)));
  return ({ catalogue, module }) => catalogue !== undefined && keys.has(keyOf(catalogue, module));
}

/** Key of the maps below. */
export function ledgerKey(eventTargetId: number, orgId: number, cluster: string): string {
  return `${eventTargetId}/${orgId}/${cluster}`;
}

/** The ledger's issues by `ledgerKey`. */
export async function readLedger(
  queryable: Queryable,
  wanted: readonly { readonly eventTargetId: number; readonly orgId: number; readonly cluster: string }[],
): Promise<Map<string, LedgerIssue[]>> {
  const { rows } = await queryable.query<{
    event_type_id: number;
    org_id: number;
    cluster: string;
    type: string;
    component: string;
    error_key: string;
    state: LedgerState;
    clock_at: string | null;
    recorded: boolean;
    resolved: boolean;
    last_reason: string;
    next_eligible_at: string | null;
  }>(
    `SELECT l.event_type_id, l.org_id, rtrim(l.cluster) AS cluster, l.type, l.component, l.error_key, l.state, l.clock_at,
            l.reported_at IS NOT NULL AS recorded, l.resolved_at IS NOT NULL AS resolved, l.last_reason, l.next_eligible_at
       FROM json_to_recordset($1) AS w(event_type_id int, org_id int, cluster character(36))
       JOIN ${TABLE_NOTIFICATION_LEDGER} AS l USING (event_type_id, org_id, cluster)`,
    [rowsJson(wanted.map((one) => ({ event_type_id: one.eventTargetId, org_id: one.orgId, cluster: one.cluster })))],
  );
  const found = new Map<string, LedgerIssue[]>();
  for (const row of rows) {
    const key = ledgerKey(row.event_type_id, row.org_id, row.cluster);
    const issues = found.get(key) ?? [];
    found.set(key, issues);
    issues.push({
      type: row.type,
      component: row.component,
      errorKey: row.error_key,
      state: row.state,
      clockMicros: row.clock_at === null ? null : timestampMicros(row.clock_at),
      recorded: row.recorded,
      resolved: row.resolved,
      decided: {
        reason: row.last_reason,
        nextEligibleMicros: row.next_eligible_at === null ? null : timestampMicros(row.next_eligible_at),
      },
    });
  }
  return found;
}

export interface UnseenSentRow {
  readonly eventTargetId: number;
  readonly orgId: number;
  readonly cluster: string;
  readonly notifiedAt: string;
  /** Undefined when it is larger than may be read. */
  readonly report: string | undefined;
}

/** `sent` rows inside the targets' cooldowns that the ledger has not taken in: the reference wrote them, before or beside us. */
export async function readUnseenSentRows(
  queryable: Queryable,
  wanted: readonly {
    readonly eventTargetId: number;
    readonly orgId: number;
    readonly cluster: string;
    readonly since: string;
  }[],
): Promise<UnseenSentRow[]> {
  const { rows } = await queryable.query<{
    event_type_id: number;
    org_id: number;
    cluster: string;
    notified_at: string;
    report: string | null;
  }>(
    `SELECT r.event_type_id, r.org_id, rtrim(r.cluster) AS cluster, r.notified_at,
            CASE WHEN octet_length(r.report) <= $2::int THEN r.report END AS report
       FROM json_to_recordset($1) AS w(event_type_id int, org_id int, cluster character(36), since timestamp)
       JOIN ${TABLE_REPORTED} AS r
         ON r.event_type_id = w.event_type_id AND r.state = ${STATE_SENT} AND r.org_id = w.org_id AND r.cluster = w.cluster
        AND r.notified_at > w.since
      WHERE NOT EXISTS (SELECT FROM ${TABLE_NOTIFICATION_SENT_ROWS} AS s
                         WHERE s.org_id = r.org_id AND s.cluster = r.cluster AND s.notified_at = r.notified_at
                           AND s.event_type_id = r.event_type_id)
      ORDER BY r.notified_at DESC
      LIMIT $3`,
    [
      rowsJson(
        wanted.map((one) => ({
          event_type_id: one.eventTargetId,
          org_id: one.orgId,
          cluster: one.cluster,
          since: one.since,
        })),
      ),
      reportBytesMax,
      foreignRowsMax,
    ],
  );
  return rows.map((row) => ({
    eventTargetId: row.event_type_id,
    orgId: row.org_id,
    cluster: row.cluster,
    notifiedAt: row.notified_at,
    report: row.report ?? undefined,
  }));
}

/** When issues of messages that wait were notified by a `sent` row inside the cooldown that was taken in since they were decided. */
export async function readTakenIn(
  queryable: Queryable,
  wanted: readonly {
    readonly id: string;
    readonly eventTargetId: number;
    readonly orgId: number;
    readonly cluster: string;
    readonly since: string;
  }[],
): Promise<readonly TakenIn[]> {
  const { rows } = await queryable.query<{
    id: string;
    type: string;
    component: string;
    error_key: string;
    clock_at: string;
  }>(
    `SELECT w.id, l.type, l.component, l.error_key, l.clock_at
       FROM json_to_recordset($1) AS w(id uuid, "eventTargetId" int, "orgId" int, cluster character(36), since timestamp)
       JOIN ${TABLE_NOTIFICATION_LEDGER} AS l
         ON l.event_type_id = w."eventTargetId" AND l.org_id = w."orgId" AND l.cluster = w.cluster AND l.notification_id = w.id
      WHERE l.state = 'pending' AND l.clock_at > w.since AND l.reported_at > w.since`,
    [rowsJson(wanted)],
  );
  return rows.map((row) => ({
    messageId: row.id,
    issue: { type: row.type, component: row.component, errorKey: row.error_key },
    notifiedAt: row.clock_at,
  }));
}

export interface TakenIn {
  readonly messageId: string;
  readonly issue: Issue;
  readonly notifiedAt: string;
}
