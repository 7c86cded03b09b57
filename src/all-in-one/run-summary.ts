/**
 * What happened in this process, counted from business events: the summary that `--once` prints. It listens to the diagnostics channel,
 * so the services know nothing of it.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Clock } from '../platform/clock/clock.ts';
import { BUSINESS_EVENT_CHANNEL, type BusinessEvent } from '../platform/telemetry/telemetry.ts';

/** The JSON object of `ccx all-in-one --once --json`, next to `uploads` and `refused`, which the uploader counts. */
interface RunCounts {
  readonly announced: number;
  readonly reports: number;
  readonly stored: number;
  /** Decisions by reason, all targets together. */
  readonly decisions: Readonly<Record<string, number>>;
  /** Delivered notifications by target. */
  readonly notifications: Readonly<Record<string, number>>;
  readonly deadLetters: number;
  /** By hop number: milliseconds between the end of the hop before and the end of this one, waiting included, summed over all requests. */
  readonly elapsedMs: Readonly<Record<string, number>>;
}

export interface RunSummary {
  counts(): RunCounts;
  close(): void;
}

/** Requests whose times are remembered; more are in flight only where the times no longer matter to anybody. */
const timedRequestsMax = 10_000;

export function collectRunSummary(clock: Clock, onEvent: (event: BusinessEvent) => void = () => undefined): RunSummary {
  const tally = { announced: 0, reports: 0, stored: 0, deadLetters: 0 };
  const decisions = new Map<string, number>();
  const notifications = new Map<string, number>();
  /** Request id → hop → when it last ended. */
  const ends = new Map<string, Map<number, number>>();
  const noteEnd = (requestId: string, hop: number, fields: BusinessEvent['fields']) => {
    const endMs = clock.monotonicMs() - Number(fields['endedMsAgo'] ?? 0);
    let hops = ends.get(requestId);
    if (hops === undefined) {
      // What came before the first hop that is seen is that hop's own time.
      hops = new Map([[hop - 1, endMs - Number(fields['elapsedMs'] ?? 0)]]);
      ends.set(requestId, hops);
      const [oldest] = ends.keys();
      if (ends.size > timedRequestsMax && oldest !== undefined) ends.delete(oldest);
    }
    hops.set(hop, endMs);
  };
  const add = (map: Map<string, number>, key: unknown) => map.set(String(key), (map.get(String(key)) ?? 0) + 1);

  const listen = (message: unknown) => {
    const event = message as BusinessEvent;
    const { fields } = event;
    const { hop, requestId } = fields;
    if (typeof hop === 'number' && typeof requestId === 'string') noteEnd(requestId, hop, fields);
    switch (event.event) {
      case 'upload-announced':
        tally.announced += 1;
        break;
      case 'report-published':
        tally.reports += 1;
        break;
      case 'report-stored':
        tally.stored += 1;
        break;
      case 'message-dead-lettered':
      case 'notification-dead':
        tally.deadLetters += 1;
        break;
      case 'issue-decided':
        add(decisions, fields['reason']);
        break;
      case 'notification-delivered':
        add(notifications, fields['target']);
        break;
    }
    onEvent(event);
  };
  subscribe(BUSINESS_EVENT_CHANNEL, listen);
  return {
    counts: () => ({
      ...tally,
      decisions: sorted(decisions),
      notifications: sorted(notifications),
      elapsedMs: sumByHop(ends),
    }),
    close: () => void unsubscribe(BUSINESS_EVENT_CHANNEL, listen),
  };
}

function sumByHop(ends: ReadonlyMap<string, ReadonlyMap<number, number>>): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const hops of ends.values()) {
    const order = [...hops].sort(([a], [b]) => a - b);
    for (const [index, [hop, endMs]] of order.entries()) {
      const before = order[index - 1];
      if (before !== undefined) sums[hop] = (sums[hop] ?? 0) + Math.max(0, endMs - before[1]);
    }
  }
  return Object.fromEntries(Object.entries(sums).map(([hop, ms]) => [hop, Math.round(ms * 10) / 10]));
}

function sorted(map: ReadonlyMap<string, number>): Record<string, number> {
  return Object.fromEntries([...map].sort(([a], [b]) => (a < b ? -1 : 1)));
}
