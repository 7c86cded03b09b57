/**
 * `ccx.issue_events`: what happened to issues and clusters, one row each, in the transaction of whatever did it. Written by the notification
 * service and by the commands of people; read by `ccx explain`.
 */
import type { Issue, IssueEventName } from '../../contracts/issue.ts';
import { TABLE_ISSUE_EVENTS } from '../../contracts/tables.ts';
import { cutUtf8 } from '../../encoding/cut-utf8.ts';
import { integerArray, textArray } from '../database/binary-arrays.ts';
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

function storableDetail(detail: string): string {
  return cutUtf8(detail.toWellFormed().replaceAll('\0', '\ufffd'), eventDetailBytesMax);
}

/** In one statement; none for no event. */
export async function recordIssueEvents(queryable: Queryable, events: readonly RecordedIssueEvent[]): Promise<void> {
  if (events.length === 0) return;
  const column = (textOf: (event: RecordedIssueEvent) => string | null | undefined) => textArray(events.map(textOf));
  await queryable.query(
    `INSERT INTO ${TABLE_ISSUE_EVENTS}
            (at, org_id, cluster, type, component, error_key, event, event_type_id, notification_id, acknowledgement_id, detail)
     SELECT * FROM unnest($1::text[]::timestamp[], $2::int[], $3::text[]::bpchar[], $4::text[], $5::text[], $6::text[], $7::text[],
                          $8::int[], $9::text[]::uuid[], $10::text[]::uuid[], $11::text[])`,
    [
      column(({ at }) => at),
      integerArray(events.map(({ orgId }) => orgId)),
      column(({ cluster }) => cluster),
      column(({ issue }) => issue?.type),
      column(({ issue }) => issue?.component),
      column(({ issue }) => issue?.errorKey),
      column(({ event }) => event),
      integerArray(events.map(({ eventTypeId }) => eventTypeId)),
      column(({ notificationId }) => notificationId),
      column(({ acknowledgementId }) => acknowledgementId),
      column(({ detail }) => (detail == null ? null : storableDetail(detail))),
    ],
  );
}
