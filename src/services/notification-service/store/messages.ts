/**
 * Messages of the outbox as people ask for them: those that match, page by page, one in full, and the wish that some be tried again or be
 * done with. Writes nothing else; the running service takes a wish up. Called by `ccx notifications` and `ccx dead-letters`.
 * Source: consumers.md 4.4 R5, R8.
 */

import type { Issue } from '../../../contracts/issue.ts';
import { TABLE_NOTIFICATION_LEDGER, TABLE_NOTIFICATION_OUTBOX } from '../../../contracts/tables.ts';
import type { Connection, Database, Queryable } from '../../../platform/database/database.ts';
import { type ByWhom, recordAudit } from '../../../platform/records/audit.ts';
import type { LedgerState } from '../decide/decide-cluster.ts';
import { type Deed, judgeWish, type WishFacts, type WishJudgement } from '../decide/judge-wish.ts';
import { storedReasons } from '../decide/reasons.ts';
import { storableText } from './transact.ts';

export const LISTED_STATES = ['pending', 'claimed', 'delivered', 'dead', 'unknown', 'withdrawn'] as const;
export type ListedState = (typeof LISTED_STATES)[number];

/** Messages of one read: their bodies may be large. */
const messagesPerRead = 200;
/** Ids of one read of a sweep. */
const idsPerRead = 1_000;
/** Messages that one transaction changes. */
export const wishesAtOnceMax = 500;

export interface ListedMessage {
  readonly id: string;
  readonly event_type_id: number;
  readonly org_id: number;
  readonly cluster: string;
  /** `resolved`: it says that its one issue is; without a body until it is sent. */
  readonly about: 'issues' | 'resolved';
  readonly state: ListedState;
  readonly attempts: number;
  readonly may_have_arrived: boolean;
  readonly decided_at: string;
  readonly due_at: string;
  readonly first_attempt_at: string | null;
  readonly last_attempt_at: string | null;
  /** Of a claimed one the end of its lease. */
  readonly next_attempt_at: string | null;
  readonly delivered_at: string | null;
  readonly finished_at: string | null;
  /** Of the row in `reported` that says it was sent. */
  readonly reported_at: string | null;
  readonly report_updated_at: string;
  readonly request_id: string | null;
  readonly error_code: string | null;
  readonly error_text: string | null;
  readonly retry_requested_at: string | null;
  readonly replaced_by: string | null;
  readonly discarded_at: string | null;
  readonly discard_note: string | null;
  readonly issues: readonly Issue[];
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const messageColumns = `o.id, o.event_type_id, o.org_id, rtrim(o.cluster) AS cluster, o.about, o.state, o.attempts, o.may_have_arrived,
            o.decided_at, o.due_at, o.first_attempt_at, o.last_attempt_at, o.next_attempt_at, o.delivered_at, o.finished_at,
            o.reported_at, o.report_updated_at, o.request_id, o.error_code, o.error_text, o.retry_requested_at, o.replaced_by,
            o.discarded_at, o.discard_note, o.issues, o.headers, o.body`;

/** Which messages are meant; what is not named does not matter. */
export interface MessageFilter {
  readonly states: readonly ListedState[];
  readonly eventTargetId?: number | undefined;
  readonly cluster?: string | undefined;
  /** The code of an error, or a reason that a message was withdrawn for. */
  readonly reason?: string | undefined;
  /** PostgreSQL text; both bounds belong to it. */
  readonly decidedUntil?: string | undefined;
  readonly decidedSince?: string | undefined;
}

/** Where the page before ended. */
type PageKey = Pick<ListedMessage, 'decided_at' | 'id'>;

/** Takes its values from `pageValues`. */
const matches = `($1::int IS NULL OR event_type_id = $1::int)
        AND ($2::character(36) IS NULL OR cluster = $2::character(36))
        AND ($3::text[] IS NULL OR error_code = ANY($3::text[])
             OR (error_code = 'WITHDRAWN' AND string_to_array(error_text, ', ') && $3::text[]))
        AND ($4::timestamp IS NULL OR decided_at <= $4::timestamp) AND ($5::timestamp IS NULL OR decided_at >= $5::timestamp)
        AND ($6::timestamp IS NULL OR (decided_at, id) < ($6::timestamp, $7::uuid))`;
const newestFirst = 'ORDER BY decided_at DESC, id DESC LIMIT $8';
/** What was given up and nobody has handled: whoever is done with a message is not told of it again by a sweep. */
const isOpen = 'retry_requested_at IS NULL AND replaced_by IS NULL AND discarded_at IS NULL';

/**
 * Each state by itself and by its name, so that the server reads a range of the index for each, however many messages of others there are.
 * A delivered message has no reason.
 */
function pageText({ states, reason }: MessageFilter, how: { readonly open: boolean }): string {
  const finished = LISTED_STATES.filter(
    (state) => states.includes(state) && (reason === undefined || state !== 'delivered'),
  );
  const parts = finished.map(
    (state) => `finished_at IS NOT NULL AND state = '${state}'${how.open ? ` AND ${isOpen}` : ''}`,
  );
  const names = states.map((state) => `'${state}'`).join(', ');
  if (!how.open) parts.push(`finished_at IS NULL AND state IN (${names})`);
  const selects = parts.map(
    (part) => `(SELECT id, decided_at FROM ${TABLE_NOTIFICATION_OUTBOX} WHERE ${part} AND ${matches} ${newestFirst})`,
  );
  return `SELECT id, decided_at FROM (${selects.join(' UNION ALL ')}) AS found ${newestFirst}`;
}

function pageValues(filter: MessageFilter, after: PageKey | undefined, rowsMax: number): readonly unknown[] {
  const { eventTargetId, cluster, reason, decidedUntil, decidedSince } = filter;
  const reasons = reason === undefined ? undefined : storedReasons(reason);
  const values = [eventTargetId, cluster, reasons, decidedUntil, decidedSince, after?.decided_at, after?.id];
  return [...values.map((value) => value ?? null), rowsMax];
}

/** Newest decision first, behind `after`, at most so many. */
export async function* eachMessage(
  queryable: Queryable,
  filter: MessageFilter,
  { after, messagesMax }: { readonly after?: PageKey | undefined; readonly messagesMax: number },
): AsyncGenerator<ListedMessage> {
  let left = messagesMax;
  let last = after;
  while (left > 0) {
    const rowsMax = Math.min(left, messagesPerRead);
    const { rows } = await queryable.query<ListedMessage>(
      `SELECT ${messageColumns} FROM (${pageText(filter, { open: false })}) AS p JOIN ${TABLE_NOTIFICATION_OUTBOX} AS o USING (id)
        ORDER BY p.decided_at DESC, p.id DESC`,
      pageValues(filter, last, rowsMax),
    );
    yield* rows;
    left -= rows.length;
    last = rows.at(-1);
    if (rows.length < rowsMax) return;
  }
}

export async function findMessage(queryable: Queryable, id: string): Promise<ListedMessage | undefined> {
  const { rows } = await queryable.query<ListedMessage>(
    `SELECT ${messageColumns} FROM ${TABLE_NOTIFICATION_OUTBOX} AS o WHERE o.id = $1::uuid`,
    [id],
  );
  return rows[0];
}

/** An issue that a message names, and where it stands for the message's target now. */
export interface NamedIssue extends Issue {
  /** Null where the ledger does not know it (any more). */
  readonly state: LedgerState | null;
  readonly last_reason: string | null;
  readonly next_eligible_at: string | null;
  /** The message that notified it last, or is to. */
  readonly notification_id: string | null;
}

/** What is known about a message beside its row: its issues now, and the message that it was sent in place of. */
export async function readSurroundings(
  queryable: Queryable,
  { id, cluster }: Pick<ListedMessage, 'id' | 'cluster'>,
): Promise<{ readonly issues: readonly NamedIssue[]; readonly replaces: string | null }> {
  const issues = await queryable.query<NamedIssue>(
    `SELECT i.type, i.component, i."errorKey", l.state, l.last_reason, l.next_eligible_at, l.notification_id
       FROM ${TABLE_NOTIFICATION_OUTBOX} AS o
      CROSS JOIN LATERAL json_to_recordset(o.issues) AS i(type text, component text, "errorKey" text)
       LEFT JOIN ${TABLE_NOTIFICATION_LEDGER} AS l
         ON l.event_type_id = o.event_type_id AND l.org_id = o.org_id AND l.cluster = o.cluster AND l.type = i.type
        AND l.component = i.component AND l.error_key = i."errorKey"
      WHERE o.id = $1::uuid`,
    [id],
  );
  const before = await queryable.query<{ id: string }>(
    `SELECT id FROM ${TABLE_NOTIFICATION_OUTBOX} WHERE cluster = $2::character(36) AND replaced_by = $1::uuid`,
    [id, cluster],
  );
  return { issues: issues.rows, replaces: before.rows[0]?.id ?? null };
}

/** Ids of the given up messages among those that match which nobody has handled, newest decision first, at most so many. */
export async function listOpen(queryable: Queryable, filter: MessageFilter, idsMax: number): Promise<string[]> {
  const ids: string[] = [];
  let last: PageKey | undefined;
  while (ids.length < idsMax) {
    const rowsMax = Math.min(idsMax - ids.length, idsPerRead);
    const { rows } = await queryable.query<PageKey>(
      pageText(filter, { open: true }),
      pageValues(filter, last, rowsMax),
    );
    ids.push(...rows.map(({ id }) => id));
    last = rows.at(-1);
    if (rows.length < rowsMax) break;
  }
  return ids;
}

/** What a person wants done with messages that were given up. */
export interface Wish {
  readonly deed: Deed;
  /** Whose wish it is; the reason is kept with what is discarded, too. */
  readonly by: ByWhom & { readonly action: `${'notifications' | 'dead-letters'} ${string}` };
  /** Only says what would be done. */
  readonly isDryRun: boolean;
}

export interface Granted {
  readonly id: string;
  readonly judgement: WishJudgement;
  readonly replacedBy: string | null;
}

/** Writes the wish down where that is possible, audited, in one transaction; answers each id in its order. */
export function grantWish(database: Database, wish: Wish, ids: readonly string[]): Promise<readonly Granted[]> {
  return database.transaction(async (tx) => {
    const judged = await judge(tx, wish, ids);
    const possible = judged.filter(({ judgement }) => judgement.kind === 'possible');
    if (possible.length > 0 && !wish.isDryRun) await writeDown(tx, wish, possible);
    return judged;
  });
}

type Judged = Granted & { readonly state: string | undefined };

/** What is to be changed is locked, in the order in which everybody locks it. */
async function judge(tx: Connection, { deed, isDryRun }: Wish, ids: readonly string[]): Promise<Judged[]> {
  const { rows } = await tx.query<WishFacts & { readonly id: string }>(
    `SELECT id, state, finished_at IS NOT NULL AS finished, retry_requested_at IS NOT NULL AS "retryRequested",
            replaced_by AS "replacedBy", discarded_at IS NOT NULL AS discarded
       FROM ${TABLE_NOTIFICATION_OUTBOX} WHERE id = ANY($1::uuid[]) ORDER BY id ${isDryRun ? '' : 'FOR UPDATE'}`,
    [ids],
  );
  const facts = new Map(rows.map((row) => [row.id, row]));
  return ids.map((id) => {
    const found = facts.get(id);
    return { id, judgement: judgeWish(deed, found), replacedBy: found?.replacedBy ?? null, state: found?.state };
  });
}

async function writeDown(tx: Connection, { deed, by }: Wish, possible: readonly Judged[]): Promise<void> {
  const [change, ...note] =
    deed === 'retry'
      ? [`retry_requested_at = now() AT TIME ZONE 'UTC'`]
      : [`discarded_at = now() AT TIME ZONE 'UTC', discard_note = $2`, storableText(by.reason ?? '')];
  const ids = possible.map(({ id }) => id);
  await tx.query(`UPDATE ${TABLE_NOTIFICATION_OUTBOX} SET ${change} WHERE id = ANY($1::uuid[])`, [ids, ...note]);
  const entries = possible.map(({ id, state }) => ({
    ...{ ...by, subject: `notifications/${id}` },
    before: deed === 'retry' ? { state } : { state: 'open' },
    after: deed === 'retry' ? { state, retryRequested: true } : { state: 'discarded' },
  }));
  await recordAudit(tx, entries);
}
