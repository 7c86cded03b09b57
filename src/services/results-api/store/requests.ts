/** The requests that a cluster's reports came by: facts of the reports, found by request, and by cluster. */
import { TABLE_NEW_REPORTS, TABLE_REPORT_FACTS } from '../../../contracts/tables.ts';
import type { Queryable } from '../../../platform/database/database.ts';
import { requestIdSpellings } from '../../../platform/records/trace-log.ts';
import type { StoredRequest } from '../decide/request-status.ts';
import type { OfCluster } from './reports.ts';
import { rfc3339Of } from './sql.ts';

interface FoundRequest extends StoredRequest {
  readonly text: string | undefined;
}

const ofReport = 'r.org_id = f.org_id AND r.cluster = f.cluster AND r.updated_at = f.updated_at';

/** A request id that is a UUID is found in both spellings. Of several reports under one id, the newest. */
export async function readRequest(
  queryable: Queryable,
  { orgId, cluster, requestId }: OfCluster & { readonly requestId: string },
): Promise<FoundRequest | undefined> {
  const { rows } = await queryable.query<{
    readonly hasReport: boolean;
    readonly text: string | null;
    readonly isNewest: boolean;
    readonly newest: string;
  }>(
    `SELECT r.cluster IS NOT NULL AS "hasReport", r.report AS text, newest.updated_at = f.updated_at AS "isNewest", newest.request_id AS newest
       FROM (SELECT * FROM ${TABLE_REPORT_FACTS}
              WHERE request_id = ANY($1) AND request_id <> '' AND org_id = $2 AND cluster = $3
              ORDER BY updated_at DESC LIMIT 1) AS f
       LEFT JOIN ${TABLE_NEW_REPORTS} AS r ON ${ofReport}
      CROSS JOIN LATERAL (SELECT request_id, updated_at FROM ${TABLE_REPORT_FACTS}
                           WHERE org_id = f.org_id AND cluster = f.cluster ORDER BY updated_at DESC LIMIT 1) AS newest`,
    [requestIdSpellings(requestId), orgId, cluster],
  );
  const row = rows[0];
  return (
    row && {
      hasReport: row.hasReport,
      supersededBy: row.isNewest ? undefined : row.newest,
      text: row.text ?? undefined,
    }
  );
}

interface NewestRequest {
  readonly cluster: string;
  readonly requestId: string;
  /** RFC 3339; when it was stored where its archive did not say. */
  readonly gatheredAt: string;
}

/** By which a cluster's newest report came; undefined where nobody kept that. */
export async function readNewestRequest(
  queryable: Queryable,
  { orgId, cluster }: OfCluster,
): Promise<NewestRequest | undefined> {
  const { rows } = await queryable.query<Omit<NewestRequest, 'cluster'>>(
    `SELECT request_id AS "requestId", ${rfc3339Of('coalesce(gathered_at, updated_at)')} AS "gatheredAt" FROM ${TABLE_REPORT_FACTS}
      WHERE org_id = $1 AND cluster = $2 ORDER BY updated_at DESC LIMIT 1`,
    [orgId, cluster],
  );
  const row = rows[0];
  return row === undefined || row.requestId === '' ? undefined : { ...row, cluster };
}

interface ListedRequest {
  readonly requestId: string;
  readonly receivedAt: string;
  readonly processedAt: string;
}

const listedColumns = `f.request_id AS "requestId", ${rfc3339Of('f.last_checked')} AS "receivedAt", ${rfc3339Of('f.updated_at')} AS "processedAt"`;

/** Of a cluster, newest first. `before`: RFC 3339, when the one before this page was processed. */
export async function listRequests(
  queryable: Queryable,
  { orgId, cluster }: OfCluster,
  { before, rowsMax }: { readonly before: string | undefined; readonly rowsMax: number },
): Promise<readonly ListedRequest[]> {
  const { rows } = await queryable.query<ListedRequest>(
    `SELECT ${listedColumns} FROM ${TABLE_REPORT_FACTS} AS f JOIN ${TABLE_NEW_REPORTS} AS r ON ${ofReport}
      WHERE f.org_id = $1 AND f.cluster = $2 AND f.request_id <> '' AND f.updated_at < coalesce($3::timestamptz AT TIME ZONE 'UTC', 'infinity')
      ORDER BY f.updated_at DESC LIMIT $4`,
    [orgId, cluster, before ?? null, rowsMax],
  );
  return rows;
}

/** Those of these ids that are a cluster's, as they are stored. */
export async function findRequests(
  queryable: Queryable,
  { orgId, cluster }: OfCluster,
  requestIds: readonly string[],
): Promise<readonly ListedRequest[]> {
  const { rows } = await queryable.query<ListedRequest>(
    `SELECT ${listedColumns} FROM ${TABLE_REPORT_FACTS} AS f JOIN ${TABLE_NEW_REPORTS} AS r ON ${ofReport}
      WHERE f.request_id = ANY($3) AND f.request_id <> '' AND f.org_id = $1 AND f.cluster = $2 ORDER BY f.updated_at DESC`,
    [orgId, cluster, requestIds.flatMap(requestIdSpellings)],
  );
  return rows;
}
