/** Acknowledgements in force, as they are asked for: of an organization in pages, and one by what it is about. */
import type { Acknowledgement } from '../../../contracts/acknowledgement.ts';
import { TABLE_ACKNOWLEDGEMENTS } from '../../../contracts/tables.ts';
import type { Queryable } from '../../../platform/database/database.ts';
import { acknowledgementColumns } from '../../../platform/records/acknowledgements.ts';
import { inForce, rfc3339Of } from './sql.ts';

export interface AcknowledgementInForce extends Acknowledgement {
  /** RFC 3339. */
  readonly madeAt: string;
  readonly endsAt: string | null;
}

const columns = `${acknowledgementColumns}, ${rfc3339Of('a.made_at')} AS "madeAt", ${rfc3339Of('a.until')} AS "endsAt"`;

/** Of a whole organization, by rule and key; `after`: those of the last one of the page before. */
export async function listAcknowledged(
  queryable: Queryable,
  orgId: number,
  page: {
    readonly after: { readonly component: string; readonly errorKey: string | null } | undefined;
    readonly rowsMax: number;
  },
): Promise<readonly AcknowledgementInForce[]> {
  const { rows } = await queryable.query<AcknowledgementInForce>(
    `SELECT ${columns} FROM ${TABLE_ACKNOWLEDGEMENTS} AS a
      WHERE a.org_id = $1 AND a.cluster IS NULL AND ${inForce}
        AND ($2::text IS NULL OR (a.component, coalesce(a.error_key, '')) > ($2, $3::text))
      ORDER BY a.component, coalesce(a.error_key, '') LIMIT $4`,
    [orgId, page.after?.component ?? null, page.after?.errorKey ?? '', page.rowsMax],
  );
  return rows;
}

/** `cluster` null: of the whole organization. Exactly that key, and not the whole rule. */
export async function findAcknowledged(
  queryable: Queryable,
  about: {
    readonly orgId: number;
    readonly cluster: string | null;
    readonly component: string;
    readonly errorKey: string;
  },
): Promise<AcknowledgementInForce | undefined> {
  const { rows } = await queryable.query<AcknowledgementInForce>(
    `SELECT ${columns} FROM ${TABLE_ACKNOWLEDGEMENTS} AS a
      WHERE a.org_id = $1 AND a.cluster IS NOT DISTINCT FROM $2::character(36) AND a.component = $3 AND a.error_key = $4 AND ${inForce}`,
    [about.orgId, about.cluster, about.component, about.errorKey],
  );
  return rows[0];
}
