/**
 * Asks Service Log whether an entry is there already, before it is posted again. First by `event_stream_id`, which is the notification's
 * id; then, for a server that cannot be asked for it or does not keep it, by content. Source: consumers.md 2.4, 6.3.
 */
import { z } from 'zod';
import { isUuid4 } from '../../../../contracts/identifiers.ts';
import { SERVICE_LOG_SERVICE_NAME, type ServiceLogEntry } from '../../../../contracts/service-log-entry.ts';
import { CcxError } from '../../../../encoding/ccx-error.ts';
import type { Clock } from '../../../../platform/clock/clock.ts';
import type { HttpAnswer } from '../../../../platform/http/http-client.ts';
import { jsonBody, type ServiceLogApi } from './service-log-api.ts';

/** Entries on one page of a look-up by content, and pages read. A cluster that gets more in a day has other troubles. */
export const lookUpPageSize = 100;
export const lookUpPagesMax = 5;
/** How far back a look-up by content searches; nothing of unknown outcome is tried again after 20 hours. */
const lookUpMs = 24 * 3_600_000;

const recordSchema = z.object({
  id: z.string().default(''),
  service_name: z.string().default(''),
  severity: z.string().default(''),
  summary: z.string().default(''),
  description: z.string().default(''),
  event_stream_id: z.string().default(''),
});
type FoundRecord = z.infer<typeof recordSchema>;
const listAnswer = z.object({ items: z.array(recordSchema) });

interface LookUp {
  readonly api: ServiceLogApi;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

type LookUpResult =
  | { readonly kind: 'found'; readonly id: string }
  | { readonly kind: 'absent' }
  /** The server answered, but not the question. */
  | { readonly kind: 'no-answer'; readonly answer: HttpAnswer };

/** Rejects with the errors of the call, and with `SERVICE_LOG_LOOK_UP` when what comes back does not tell. */
export async function lookUpEntry(entry: ServiceLogEntry, lookUp: LookUp): Promise<LookUpResult> {
  const byId = await search({ entry, expression: `event_stream_id='${entry.event_stream_id}'`, page: 1 }, lookUp);
  // 400: a server that does not know the column. The look-up by content follows.
  if ('status' in byId && byId.status !== 400) return { kind: 'no-answer', answer: byId };
  const same = 'items' in byId && byId.items.find((record) => record.event_stream_id === entry.event_stream_id);
  if (same) return { kind: 'found', id: same.id };

  const since = new Date(lookUp.clock.now().getTime() - lookUpMs).toISOString();
  const expression = `service_name='${SERVICE_LOG_SERVICE_NAME}' and severity='${entry.severity}' and created_at >= '${since}'`;
  for (let page = 1; page <= lookUpPagesMax; page += 1) {
    const recent = await search({ entry, expression, page }, lookUp);
    if ('status' in recent) return { kind: 'no-answer', answer: recent };
    const equal = recent.items.find((record) => isSameEntry(record, entry));
    if (equal !== undefined) return { kind: 'found', id: equal.id };
    if (recent.items.length < lookUpPageSize) return { kind: 'absent' };
  }
  throw lookUpFailure(`the cluster has ${lookUpPagesMax * lookUpPageSize} or more recent entries of ours`);
}

/**
 * A record with another id of ours in its stream id is another notification with the same text, told earlier; only where the server put
 * an id of its own there can equal texts mean the same entry.
 */
function isSameEntry(record: FoundRecord, entry: ServiceLogEntry): boolean {
  return (
    (record.event_stream_id === entry.event_stream_id || !isUuid4(record.event_stream_id)) &&
    record.service_name === entry.service_name &&
    record.severity === entry.severity &&
    record.summary.trim() === entry.summary.trim() &&
    record.description.trim() === entry.description.trim()
  );
}

interface Search {
  readonly entry: ServiceLogEntry;
  readonly expression: string;
  readonly page: number;
}

/** One page of the cluster's entries, newest first, or the answer that is none. */
async function search({ entry, expression, page }: Search, { api, signal }: LookUp) {
  if (api.listUrl === undefined) {
    throw lookUpFailure('the address of the list is not known', 'service_log.url must end in /cluster_logs');
  }
  const query = new URLSearchParams({
    cluster_uuid: entry.cluster_uuid,
    search: expression,
    page: String(page),
    size: String(lookUpPageSize),
    order: 'id desc',
  });
  const answer = await api.call({ method: 'GET', url: `${api.listUrl}?${query}`, signal });
  if (answer.status !== 200) return answer;
  const parsed = listAnswer.safeParse(jsonBody(answer));
  if (parsed.success) return parsed.data;
  throw lookUpFailure('the list has not the expected form');
}

function lookUpFailure(why: string, hint?: string): CcxError {
  return new CcxError(`entries cannot be looked up: ${why}`, {
    code: 'SERVICE_LOG_LOOK_UP',
    category: 'delivery',
    retryable: true,
    ...(hint === undefined ? {} : { hint }),
  });
}
