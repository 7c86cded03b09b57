/**
 * `ccx.issue_events`: what happened to issues and clusters, one row each, in the transaction of whatever did it. Written by the notification
 * service and by the commands of people; read by `ccx explain`.
 */
import type { Issue, IssueEventName } from '../../contracts/issue.ts';
import { TABLE_ISSUE_EVENTS } from '../../contracts/tables.ts';
import { cutUtf8 } from '../../encoding/cut-utf8.ts';
import type { Queryable } from '../database/database.ts';

const eventDetailBytesMax = 1_024;

export interface RecordedIssueEvent {
  /** Timestamp as PostgreSQL reads it, UTC. */
  readonly at: string;
  readonly orgId: number;
  readonly cluster: string;
  /** Absent: it happened to the cluster. */
  readonly issue?: Issue;
  readonly event: IssueEventName;
  /** Of a notification: its target. */
  readonly eventTypeId?: number;
  readonly notificationId?: string;
  readonly acknowledgementId?: string;
  readonly detail?: string | null;
}

/** In one statement; none for no event. */
export async function recordIssueEvents(queryable: Queryable, events: readonly RecordedIssueEvent[]): Promise<void> {
  if (events.length === 0) return;
  const rows = events.map(({ issue, detail, ...event }) => ({
    ...event,
    ...issue,
    ...(detail == null
      ? {}
      : { detail: cutUtf8(detail.toWellFormed().replaceAll('\0', '\ufffd'), eventDetailBytesMax) }),
  }));
  await queryable.query(
    `INSERT INTO ${TABLE_ISSUE_EVENTS}
            (at, org_id, cluster, type, component, error_key, event, event_type_id, notification_id, acknowledgement_id, detail)
     SELECT at, "orgId", cluster, type, component, "errorKey", event, "eventTypeId", "notificationId", "acknowledgementId", detail
       FROM json_to_recordset($1) AS e(at timestamp, "orgId" int, cluster character(36), type text, component text, "errorKey" text,
            event text, "eventTypeId" int, "notificationId" uuid, "acknowledgementId" uuid, detail text)`,
    [JSON.stringify(rows)],
  );
}
