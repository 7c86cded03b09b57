/**
 * `ccx.acknowledgements` for those who make them: rules disabled for a cluster or an organization, until a date, until it is resolved, or
 * until somebody removes them. Every change is audited in its transaction, and hints at the notification service, which makes due what it
 * concerns. Nothing is deleted: what is over is the history. Called by `ccx acks`; ends that nobody makes are the notification service's.
 */
import { type AcknowledgedRule, type Acknowledgement, selectorOf } from '../../contracts/acknowledgement.ts';
import {
  CHANNEL_REPORT_STORED,
  TABLE_ACKNOWLEDGEMENTS,
  TABLE_CLUSTER_OWNERS,
  TABLE_CLUSTERS,
  TABLE_NEW_REPORTS,
} from '../../contracts/tables.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
import { cutUtf8 } from '../../encoding/cut-utf8.ts';
import type { Connection, Database, Queryable } from '../database/database.ts';
import { sqlState } from '../database/database-error.ts';
import { type ByWhom, recordAudit } from './audit.ts';
import { tableIsKept } from './report-facts.ts';

const justificationBytesMax = 4_096;
const nameBytesMax = 1_024;
/** Read at once where all are listed. */
const listedRowsMax = 1_000;

/** Columns as `Acknowledgement` names them, of the table as `a`. */
export const acknowledgementColumns = `a.id, a.org_id AS "orgId", rtrim(a.cluster) AS cluster, a.component, a.error_key AS "errorKey",
  a.until::text AS until, a.until_resolved AS "untilResolved", a.justification, a.by`;

export interface ListedAcknowledgement extends Acknowledgement {
  /** UTC, as PostgreSQL writes it. */
  readonly madeAt: string;
  /** Null while it is in force. */
  readonly endedAt: string | null;
  readonly endedReason: 'date' | 'removed' | 'resolved' | null;
  readonly endedBy: string | null;
}

/** Which rule, and where. */
interface AcknowledgedScope extends AcknowledgedRule {
  readonly orgId: number;
  /** Null: all clusters of the organization. */
  readonly cluster: string | null;
}

export interface WantedAcknowledgement extends AcknowledgedScope {
  /** Timestamp, UTC; null: not by date. */
  readonly until: string | null;
  readonly untilResolved: boolean;
  readonly justification: string;
}

/** One that is in force already is changed to what is wanted, and keeps its id, and who made it. `at`: timestamp, UTC. */
export async function addAcknowledgement(
  database: Database,
  wanted: WantedAcknowledgement,
  { byWhom, at }: { readonly byWhom: ByWhom; readonly at: string },
): Promise<{
  readonly result: 'added' | 'changed' | 'unchanged';
  readonly acknowledgement: ListedAcknowledgement;
}> {
  const justification = storable(wanted.justification, justificationBytesMax);
  return await database.transaction(async (tx) => {
    await lockScope(tx, wanted);
    const before = await findInForce(tx, wanted, at);
    if (before === undefined) await endPassed(tx, wanted, at);
    const isSame =
      before !== undefined &&
      before.until === (await asStored(tx, wanted.until)) &&
      before.untilResolved === wanted.untilResolved &&
      before.justification === justification;
    if (isSame) return { result: 'unchanged', acknowledgement: before };
    const { rows } = await tx.query<{ id: string }>(
      `INSERT INTO ${TABLE_ACKNOWLEDGEMENTS} AS a
              (id, scope, org_id, cluster, component, error_key, until, until_resolved, justification, by, made_at)
       VALUES (coalesce($1::uuid, gen_random_uuid()), CASE WHEN $3::text IS NULL THEN 'organization' ELSE 'cluster' END, $2, $3, $4, $5, $6::timestamp, $7, $8, $9,
               $10::timestamp)
       ON CONFLICT (id) DO UPDATE
          SET until = excluded.until, until_resolved = excluded.until_resolved, justification = excluded.justification, followed = false
       RETURNING a.id`,
      [
        ...[
          before?.id ?? null,
          wanted.orgId,
          wanted.cluster,
          wanted.component,
          wanted.errorKey,
          wanted.until,
          wanted.untilResolved,
        ],
        ...[justification, storable(byWhom.actor, nameBytesMax), at],
      ],
    );
    const acknowledgement = (await findById(tx, rows[0]!.id, at))!;
    await recordAudit(tx, {
      ...{ ...byWhom, reason: justification },
      ...{ action: 'acks add', subject: subjectOf(acknowledgement) },
      ...{ before: before === undefined ? undefined : auditedOf(before), after: auditedOf(acknowledgement) },
    });
    await hint(tx);
    return { result: before === undefined ? 'added' : 'changed', acknowledgement };
  });
}

/** Ends one that is in force. `unchanged`: it was over before; then, too, it is answered. Undefined: there never was one of that id. */
export async function removeAcknowledgement(
  database: Database,
  id: string,
  { byWhom, at }: { readonly byWhom: ByWhom; readonly at: string },
): Promise<{ readonly result: 'removed' | 'unchanged'; readonly acknowledgement: ListedAcknowledgement } | undefined> {
  return await database.transaction(async (tx) => {
    const { rowCount } = await tx.query(
      `UPDATE ${TABLE_ACKNOWLEDGEMENTS} AS a SET ended_at = $2::timestamp, ended_reason = 'removed', ended_by = $3, followed = false
        WHERE a.id = $1 AND a.ended_at IS NULL AND (a.until IS NULL OR a.until > $2::timestamp)`,
      [id, at, storable(byWhom.actor, nameBytesMax)],
    );
    const acknowledgement = await findById(tx, id, at);
    if (acknowledgement === undefined) return undefined;
    if (rowCount === 0) return { result: 'unchanged', acknowledgement };
    const { endedAt, endedReason } = acknowledgement;
    await recordAudit(tx, {
      ...{ ...byWhom, action: 'acks remove', subject: subjectOf(acknowledgement) },
      ...{ before: auditedOf(acknowledgement), after: { ...auditedOf(acknowledgement), endedAt, endedReason } },
    });
    await hint(tx);
    return { result: 'removed', acknowledgement };
  });
}

/**
 * Which organization's reports of a cluster count: its owner's, where it has one, else whoever reported it last. Undefined where nobody
 * reported it here.
 */
export async function organizationOf(queryable: Queryable, cluster: string): Promise<number | undefined> {
  const { rows: readable } = await queryable.query<{ readable: boolean }>(
    `SELECT coalesce(has_table_privilege(to_regclass($1), 'SELECT'), false) AS readable`,
    [TABLE_NEW_REPORTS],
  );
  const newest = readable[0]!.readable
    ? `SELECT org_id, updated_at, 2 FROM ${TABLE_NEW_REPORTS} WHERE cluster = $1::character(36) UNION ALL`
    : '';
  const { rows } = await queryable.query<{ orgId: number }>(
    `SELECT org_id AS "orgId"
       FROM (SELECT org_id, since AS at, 1 AS rank FROM ${TABLE_CLUSTER_OWNERS} WHERE cluster = $1::character(36) UNION ALL ${newest}
             SELECT org_id, last_report_at, 3 FROM ${TABLE_CLUSTERS} WHERE cluster = $1::character(36)) AS known
      ORDER BY rank, at DESC LIMIT 1`,
    [cluster],
  );
  return rows[0]?.orgId;
}

/**
 * When an acknowledgement is to end, by the clock of the database: a time, or an interval from now. Codes: `ACK_UNTIL`, for a text that is
 * neither, and for a moment that is not ahead.
 */
export async function readUntil(queryable: Queryable, text: string): Promise<string> {
  const trimmed = text.trim();
  const expression = /^\d{4}-/.test(trimmed)
    ? `$1::timestamptz AT TIME ZONE 'UTC'`
    : `clock_timestamp() AT TIME ZONE 'UTC' + $1::interval`;
  const refused = (why: string, cause?: unknown) =>
    new CcxError(`${JSON.stringify(text)} ${why}`, {
      ...{ code: 'ACK_UNTIL', category: 'input', cause },
      hint: 'write 2026-12-24, 2026-12-24T16:00:00Z, 30d or "2 weeks"; without a date it lasts until somebody removes it',
    });
  // A number alone would be seconds.
  if (!/[a-z-]/i.test(trimmed)) throw refused('is neither a time nor an interval');
  try {
    const { rows } = await queryable.query<{ until: string; isAhead: boolean; isDate: boolean }>(
      `SELECT until::text, until > clock_timestamp() AT TIME ZONE 'UTC' AS "isAhead",
              isfinite(until) AND until < timestamp '10000-01-01' AS "isDate" FROM (SELECT ${expression} AS until) AS wanted`,
      [trimmed],
    );
    const { until, isAhead, isDate } = rows[0]!;
    if (!isDate) throw refused('is no date that ever comes');
    if (!isAhead) throw refused('has passed already');
    return until;
  } catch (cause) {
    if (!(sqlState(cause) ?? '').startsWith('22')) throw cause;
    throw refused('is neither a time nor an interval', cause);
  }
}

/** UTC, as PostgreSQL writes it. */
export async function nowOf(queryable: Queryable): Promise<string> {
  const { rows } = await queryable.query<{ now: string }>(`SELECT (clock_timestamp() AT TIME ZONE 'UTC')::text AS now`);
  return rows[0]!.now;
}

interface AcknowledgementFilter {
  readonly orgId?: number | undefined;
  readonly cluster?: string | undefined;
  /** Of a selector without a key, every key. */
  readonly rule?: AcknowledgedRule | undefined;
  /** Those that are over, too. */
  readonly all?: boolean | undefined;
}

/** Oldest first, in pages by key. `at`: the moment that decides what is over. Rejects with `ACK_NO_TABLE` where nothing of ours has run. */
export async function* listAcknowledgements(
  queryable: Queryable,
  { orgId, cluster, rule, all = false }: AcknowledgementFilter,
  at: string,
): AsyncGenerator<ListedAcknowledgement> {
  if (!(await tableIsKept(queryable, TABLE_ACKNOWLEDGEMENTS, 'SELECT'))) {
    throw new CcxError(`there is no table ${TABLE_ACKNOWLEDGEMENTS} in this database, or no right to read it`, {
      ...{ code: 'ACK_NO_TABLE', category: 'storage' },
      hint: 'name the right database with --database or --data; ccx db init makes the table, ccx db grants prints the rights',
    });
  }
  let after: Pick<ListedAcknowledgement, 'madeAt' | 'id'> | undefined;
  do {
    const { rows }: { readonly rows: ListedAcknowledgement[] } = await queryable.query<ListedAcknowledgement>(
      `SELECT ${listedColumns('$1')} FROM ${TABLE_ACKNOWLEDGEMENTS} AS a
        WHERE ($2::timestamp IS NULL OR (a.made_at, a.id) > ($2::timestamp, $3::uuid))
          AND ($4::int IS NULL OR a.org_id = $4) AND ($5::text IS NULL OR a.cluster = $5::character(36))
          AND ($6::text IS NULL OR a.component = $6) AND ($7::text IS NULL OR a.error_key = $7)
          AND ($8 OR (a.ended_at IS NULL AND (a.until IS NULL OR a.until > $1::timestamp)))
        ORDER BY a.made_at, a.id LIMIT ${listedRowsMax}`,
      [
        ...[at, after?.madeAt ?? null, after?.id ?? null, orgId ?? null, cluster ?? null],
        ...[rule?.component ?? null, rule?.errorKey ?? null, all],
      ],
    );
    yield* rows;
    after = rows.length < listedRowsMax ? undefined : rows.at(-1);
  } while (after !== undefined);
}

/** One whose date has passed has ended then, whether or not that was written down yet. */
function listedColumns(now: string): string {
  const passed = `a.ended_at IS NULL AND a.until <= ${now}::timestamp`;
  return `${acknowledgementColumns}, a.made_at::text AS "madeAt",
    (CASE WHEN ${passed} THEN a.until ELSE a.ended_at END)::text AS "endedAt",
    CASE WHEN ${passed} THEN 'date' ELSE a.ended_reason END AS "endedReason", a.ended_by AS "endedBy"`;
}

async function findById(tx: Connection, id: string, at: string): Promise<ListedAcknowledgement | undefined> {
  const { rows } = await tx.query<ListedAcknowledgement>(
    `SELECT ${listedColumns('$2')} FROM ${TABLE_ACKNOWLEDGEMENTS} AS a WHERE a.id = $1`,
    [id, at],
  );
  return rows[0];
}

async function findInForce(
  tx: Connection,
  { orgId, cluster, component, errorKey }: AcknowledgedScope,
  at: string,
): Promise<ListedAcknowledgement | undefined> {
  const { rows } = await tx.query<ListedAcknowledgement>(
    `SELECT ${listedColumns('$5')} FROM ${TABLE_ACKNOWLEDGEMENTS} AS a
      WHERE a.org_id = $1 AND a.cluster IS NOT DISTINCT FROM $2::character(36) AND a.component = $3
        AND a.error_key IS NOT DISTINCT FROM $4 AND a.ended_at IS NULL AND (a.until IS NULL OR a.until > $5::timestamp)`,
    [orgId, cluster, component, errorKey, at],
  );
  return rows[0];
}

/** One whose date has passed, where the notification service has not seen that yet, makes room for its successor. */
async function endPassed(tx: Connection, { orgId, cluster, component, errorKey }: AcknowledgedScope, at: string) {
  await tx.query(
    `UPDATE ${TABLE_ACKNOWLEDGEMENTS} AS a SET ended_at = until, ended_reason = 'date', followed = false
      WHERE a.org_id = $1 AND a.cluster IS NOT DISTINCT FROM $2::character(36) AND a.component = $3
        AND a.error_key IS NOT DISTINCT FROM $4 AND a.ended_at IS NULL AND a.until <= $5::timestamp`,
    [orgId, cluster, component, errorKey, at],
  );
}

/** Of two who acknowledge the same at once the second finds what the first has made. */
async function lockScope(tx: Connection, { orgId, cluster, component, errorKey }: AcknowledgedScope): Promise<void> {
  await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 7703))', [
    JSON.stringify([orgId, cluster, component, errorKey]),
  ]);
}

async function asStored(tx: Connection, until: string | null): Promise<string | null> {
  const { rows } = await tx.query<{ until: string | null }>('SELECT $1::timestamp::text AS until', [until]);
  return rows[0]!.until;
}

/** What waits for reports waits for this, too. Polling sees it without. */
async function hint(tx: Connection): Promise<void> {
  await tx.query('SELECT pg_notify($1, $2)', [CHANNEL_REPORT_STORED, '']);
}

function subjectOf(scope: AcknowledgedScope): string {
  return `${scope.cluster ?? `organization ${scope.orgId}`} ${selectorOf(scope)}`;
}

function auditedOf({ id, orgId, until, untilResolved, justification, by }: Acknowledgement) {
  return { id, orgId, until, untilResolved, justification, by };
}

/** What PostgreSQL holds, and no more of it than anybody reads. */
function storable(text: string, bytesMax: number): string {
  return cutUtf8(text.toWellFormed().replaceAll('\0', '\ufffd'), bytesMax);
}
