/**
 * What this service has dead-lettered, for `ccx dead-letters`: notifications that their target refused or that ran out of time, and those of
 * which nobody knows whether they arrived. They stay in the outbox; this shows them in the shape of the dead letters on the topics.
 */

import type { Issue } from '../../contracts/issue.ts';
import { STATUS_SERVICE_NOTIFIER } from '../../contracts/payload-status.ts';
import { TABLE_NOTIFICATION_OUTBOX } from '../../contracts/tables.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
import { migrateCcx } from '../../platform/database/ccx-migrations.ts';
import type { Database } from '../../platform/database/database.ts';
import type { ByWhom } from '../../platform/records/audit.ts';
import { type Deed, WISH_REASONS } from './decide/judge-wish.ts';
import { type ReceiverNames, targetName } from './format-explanation.ts';
import { type Granted, grantWish } from './store/messages.ts';
import { readReceiverNames } from './store/targets.ts';
import { isoText, timestampMicros } from './timestamps.ts';

/** Of dead messages, read at once: their bodies may be large. */
const deadMessagesPerRead = 100;

const isHandled = 'retry_requested_at IS NOT NULL OR replaced_by IS NOT NULL OR discarded_at IS NOT NULL';

interface DeadNotification {
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
  await migrateCcx(database, 'records');
  const receivers = await readReceiverNames(database);

  async function wish(deed: Deed, id: string, byWhom: ByWhom): Promise<Granted> {
    const by = { ...byWhom, action: deed === 'retry' ? 'dead-letters replay' : 'dead-letters discard' } as const;
    const [granted] = await grantWish(database, { deed, by, isDryRun: false }, [uuidOf(id)!]);
    return granted!;
  }

  return {
    async *list({ handledToo }: { readonly handledToo: boolean }): AsyncGenerator<DeadNotification> {
      let after: DeadMessage | undefined;
      do {
        const { rows: page } = await database.query<DeadMessage>(
          `SELECT ${columns} FROM ${TABLE_NOTIFICATION_OUTBOX}
            WHERE ${isDead} AND ($1 OR NOT (${isHandled})) AND ($2::timestamp IS NULL OR (finished_at, id) > ($2::timestamp, $3::uuid))
            ORDER BY finished_at, id LIMIT $4`,
          [handledToo, after?.finished_at ?? null, after?.id ?? null, deadMessagesPerRead],
        );
        yield* page.map((message) => toDeadNotification(message, receivers));
        after = page.length < deadMessagesPerRead ? undefined : page.at(-1);
      } while (after !== undefined);
    },
    async find(id: string): Promise<DeadNotification | undefined> {
      const found = await database.query<DeadMessage>(
        `SELECT ${columns} FROM ${TABLE_NOTIFICATION_OUTBOX} WHERE ${isDead} AND id = $1::uuid`,
        [uuidOf(id) ?? null],
      );
      return found.rows.map((message) => toDeadNotification(message, receivers))[0];
    },
    /** The running service sends it under a new id. False when it did before, or is to. */
    async retry(id: string, byWhom: ByWhom): Promise<boolean> {
      return (await wish('retry', id, byWhom)).judgement.kind === 'possible';
    },
    /** The reason is kept with the message, too. */
    async discard(id: string, byWhom: ByWhom): Promise<void> {
      const { judgement, replacedBy } = await wish('discard', id, byWhom);
      if (judgement.kind !== 'refused') return;
      throw new CcxError(`${id} ${WISH_REASONS[judgement.reason]}`, {
        code: 'DISCARD_NOT_POSSIBLE',
        category: 'input',
        hint: replacedBy === null ? 'ccx notifications show says what became of it' : `its successor is ${replacedBy}`,
      });
    },
  };
}

function uuidOf(id: string): string | undefined {
  return idPattern.exec(id)?.[1];
}

function toDeadNotification(message: DeadMessage, receivers: ReceiverNames): DeadNotification {
  const time = isoText(timestampMicros(message.finished_at));
  const unknown = message.state === 'unknown';
  return {
    id: `${idPrefix}${message.id}`,
    state: message.handled,
    info: {
      code: message.error_code ?? (unknown ? 'OUTCOME_UNKNOWN' : 'NOT_DELIVERED'),
      reason: `${unknown ? 'it may have arrived: ' : ''}${message.error_text ?? 'no reason was recorded'}`,
      ...{ step: 'deliver-notifications', service: STATUS_SERVICE_NOTIFIER, time },
      ...(message.request_id === null ? {} : { requestId: message.request_id }),
    },
    facts: {
      cluster: message.cluster,
      target: targetName(message.event_type_id, receivers),
      'tells of': message.issues.map(({ errorKey }) => errorKey).join(', '),
      attempts: String(message.attempts),
    },
    time,
    value: Buffer.from(message.body, 'utf8'),
  };
}

/** A message of the outbox that was given up, or of which nobody knows whether it arrived. Source: consumers.md R8. */
interface DeadMessage {
  readonly id: string;
  readonly event_type_id: number;
  readonly cluster: string;
  readonly state: 'dead' | 'unknown';
  readonly attempts: number;
  readonly finished_at: string;
  readonly request_id: string | null;
  readonly error_code: string | null;
  readonly error_text: string | null;
  readonly issues: readonly Issue[];
  readonly body: string;
  /** Replayed: somebody has asked for another try, or it was made. */
  readonly handled: DeadNotification['state'];
}

const isDead = `state IN ('dead', 'unknown') AND finished_at IS NOT NULL`;
const columns = `id, event_type_id, rtrim(cluster) AS cluster, state, attempts, finished_at, request_id, error_code, error_text, issues, body,
            CASE WHEN retry_requested_at IS NOT NULL OR replaced_by IS NOT NULL THEN 'replayed'
                 WHEN discarded_at IS NOT NULL THEN 'discarded' ELSE 'open' END AS handled`;
