/**
 * The payload tracker's document about one request, as ingress's `/track` and its users expect it: newest status first, and in every status
 * what is known of the payload as a whole. Source: ingress.md A.9.
 */

import type { TraceEvent } from '../../../contracts/trace-event.ts';
import { parseRfc3339 } from '../../../encoding/rfc3339.ts';

/** A recorded event, in the terms of this decision. */
interface KnownEvent extends TraceEvent {
  readonly id: bigint;
  readonly recordedAt: string;
}

export type TrackerDocument = ReturnType<typeof trackerDocument>;

/** `events` oldest first, as the trace is read. */
export function trackerDocument(events: readonly KnownEvent[]) {
  // A payload belongs to who uploaded it: the first service to know the organization was ingress, which had it from the identity.
  const payload = {
    account: firstKnown(events, 'account'),
    org_id: firstKnown(events, 'orgId'),
    inventory_id: firstKnown(events, 'inventoryId'),
    system_id: firstKnown(events, 'systemId') || firstKnown(events, 'cluster'),
  };
  const data = events.map((event) => ({
    id: String(event.id),
    service: event.service,
    source: event.source ?? '',
    account: payload.account,
    org_id: payload.org_id,
    request_id: event.requestId,
    inventory_id: payload.inventory_id,
    system_id: payload.system_id,
    created_at: event.recordedAt,
    status: event.status,
    status_msg: event.detail ?? '',
    date: event.at,
  }));
  return { data: data.reverse(), duration: durations(events) };
}

/** In order of arrival, because times are what their senders say they are. */
function firstKnown(
  events: readonly KnownEvent[],
  member: 'account' | 'orgId' | 'inventoryId' | 'systemId' | 'cluster',
): string {
  const byArrival = [...events].sort((left, right) => (left.id < right.id ? -1 : 1));
  return byArrival.find((event) => event[member] !== undefined && event[member] !== '')?.[member] ?? '';
}

/** Seconds with a unit, by service (and source): from its first to its last status; `total_time` over all. */
function durations(events: readonly KnownEvent[]): Record<string, string> {
  const spans = new Map<string, { first: bigint; last: bigint }>();
  for (const event of events) {
    const at = parseRfc3339(event.at)?.micros ?? 0n;
    const service = event.source === undefined ? event.service : `${event.service}:${event.source}`;
    for (const name of [service, 'total_time']) {
      const span = spans.get(name);
      if (span === undefined) spans.set(name, { first: at, last: at });
      else {
        span.first = at < span.first ? at : span.first;
        span.last = at > span.last ? at : span.last;
      }
    }
  }
  return Object.fromEntries([...spans].map(([name, { first, last }]) => [name, `${Number(last - first) / 1e6}s`]));
}
