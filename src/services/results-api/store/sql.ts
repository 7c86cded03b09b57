/** Pieces of SQL that several questions share. */
import { TABLE_ACKNOWLEDGEMENT_ENDS, TABLE_ACKNOWLEDGEMENTS } from '../../../contracts/tables.ts';

/** Now, as our tables keep times. */
const nowUtc = `(now() AT TIME ZONE 'UTC')`;

/** RFC 3339 of a timestamp in UTC, whose own text is `2026-11-21 16:15:49.824983`. */
export function rfc3339Of(column: string): string {
  return `replace((${column})::text, ' ', 'T') || 'Z'`;
}

/** Of the table as `a`: in force. */
export const inForce = `a.ended_at IS NULL AND (a.until IS NULL OR a.until > ${nowUtc})`;

/** Of an organization's, over already in the cluster of `cluster`. */
export function isOverIn(cluster: string): string {
  return `EXISTS (SELECT FROM ${TABLE_ACKNOWLEDGEMENT_ENDS} AS e WHERE e.acknowledgement_id = a.id AND e.cluster = ${cluster})`;
}

const ofIssue = `i.component IN (a.component, left(a.component, -7)) AND (a.error_key IS NULL OR a.error_key = i.error_key)`;

/** Whether the issue `i` is disabled for its cluster itself. */
export const isDisabledForCluster = `EXISTS (SELECT FROM ${TABLE_ACKNOWLEDGEMENTS} AS a
  WHERE a.org_id = i.org_id AND a.cluster = i.cluster AND ${ofIssue} AND ${inForce})`;

/** Whether it is disabled for all clusters of the organization, and not over in this one. */
export const isDisabledForOrganization = `EXISTS (SELECT FROM ${TABLE_ACKNOWLEDGEMENTS} AS a
  WHERE a.org_id = i.org_id AND a.cluster IS NULL AND ${ofIssue} AND ${inForce} AND NOT ${isOverIn('i.cluster')})`;
