/**
 * What this service has dead-lettered, for `ccx dead-letters`: notifications that their target refused or that ran out of time, and those of
 * which nobody knows whether they arrived. They stay in the outbox; this shows them in the shape of the letters on the topics.
 */
import { STATUS_SERVICE_NOTIFIER } from '../../contracts/payload-status.ts';
import { migrateCcx } from '../../platform/database/ccx-migrations.ts';
import type { Database } from '../../platform/database/database.ts';
import { targetName } from './format-explanation.ts';
import { deadMessagesPerRead } from './limits.ts';
import { type DeadMessage, discardMessage, readDeadMessage, readDeadMessages } from './store/dead-messages.ts';
import { requestRetry } from './store/explain.ts';
import { isoText, timestampMicros } from './timestamps.ts';

export interface DeadNotification {
  /** `notifications/<id>` */
  readonly id: string;
  readonly state: 'open' | 'replayed' | 'discarded';
  readonly info: {
    readonly code: string;
    readonly reason: string;
    readonly step: string;
    readonly service: string;
    /** RFC 3339, when it was given up. */
    readonly time: string;
    readonly requestId?: string;
  };
  readonly facts: Readonly<Record<string, string>>;
  readonly time: string;
  /** As it was to be sent. */
  readonly value: Buffer;
}

const idPrefix = 'notifications/';
const idPattern = /^notifications\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

/** Undefined where no notification service of ours has worked on the database. */
export async function openDeadNotifications(database: Database) {
  const { rows } = await database.query<{ exists: boolean }>(
    `SELECT to_regclass('ccx.notification_outbox') IS NOT NULL AS exists`,
  );
  if (rows[0]?.exists !== true) return undefined;
  await migrateCcx(database, 'notifier');

  return {
    async *list({ handledToo }: { readonly handledToo: boolean }): AsyncGenerator<DeadNotification> {
      let after: DeadMessage | undefined;
      do {
        const page = await readDeadMessages(database, { handledToo, after, rowsMax: deadMessagesPerRead });
        yield* page.map(toDeadNotification);
        after = page.length < deadMessagesPerRead ? undefined : page.at(-1);
      } while (after !== undefined);
    },
    async find(id: string): Promise<DeadNotification | undefined> {
      const uuid = uuidOf(id);
      const message = uuid === undefined ? undefined : await readDeadMessage(database, uuid);
      return message === undefined ? undefined : toDeadNotification(message);
    },
    /** The running service sends it under a new id. False when it did before. */
    async retry(id: string): Promise<boolean> {
      return (await requestRetry(database, { ids: [uuidOf(id)!] })).length > 0;
    },
    async discard(id: string, note: string): Promise<void> {
      await discardMessage(database, uuidOf(id)!, note);
    },
  };
}

function uuidOf(id: string): string | undefined {
  return idPattern.exec(id)?.[1];
}

function toDeadNotification(message: DeadMessage): DeadNotification {
  const time = isoText(timestampMicros(message.finished_at));
  const unknown = message.state === 'unknown';
  return {
    id: `${idPrefix}${message.id}`,
    state: stateOf(message),
    info: {
      code: message.error_code ?? (unknown ? 'OUTCOME_UNKNOWN' : 'NOT_DELIVERED'),
      reason: `${unknown ? 'it may have arrived: ' : ''}${message.error_text ?? 'no reason was recorded'}`,
      ...{ step: 'deliver-notifications', service: STATUS_SERVICE_NOTIFIER, time },
      ...(message.request_id === null ? {} : { requestId: message.request_id }),
    },
    facts: {
      cluster: message.cluster,
      target: targetName(message.event_type_id),
      'tells of': message.issues.map(({ errorKey }) => errorKey).join(', '),
      attempts: String(message.attempts),
    },
    time,
    value: Buffer.from(message.body, 'utf8'),
  };
}

function stateOf({ is_retried, is_discarded }: DeadMessage): DeadNotification['state'] {
  if (is_retried) return 'replayed';
  return is_discarded ? 'discarded' : 'open';
}
