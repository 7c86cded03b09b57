/** One request's events as a story: what happened when, with which pauses, how far it came, and why it went no further. */

import { isTraceFailure, type TraceEvent } from '../../../contracts/trace-event.ts';
import { parseRfc3339 } from '../../../encoding/rfc3339.ts';

/** The hops of the flow in a few words each. `src/topology.ts` has them at length; a test compares. */
export const hopNames: Readonly<Record<number, { readonly service: string; readonly done: string }>> = {
  1: { service: 'ingress', done: 'upload validated' },
  2: { service: 'ingress', done: 'archive stored and announced' },
  3: { service: 'data-pipeline', done: 'announcement accepted' },
  4: { service: 'data-pipeline', done: 'archive opened' },
  5: { service: 'data-pipeline', done: 'rules applied' },
  6: { service: 'data-pipeline', done: 'report published' },
  7: { service: 'notification-writer', done: 'report checked' },
  8: { service: 'notification-writer', done: 'report stored' },
  9: { service: 'notification-service', done: 'report loaded' },
  10: { service: 'notification-service', done: 'decided' },
  11: { service: 'notification-service', done: 'delivered' },
  12: { service: 'notification-service', done: 'outcome recorded' },
};

export const lastHop = 12;

export type TraceStory = ReturnType<typeof describeTrace>;

export interface TraceLine {
  readonly at: string;
  /** Since the line before; absent on the first. */
  readonly afterMs: number | undefined;
  readonly hop: number | undefined;
  readonly service: string;
  readonly status: string;
  readonly detail: string | undefined;
  readonly failed: boolean;
}

interface TraceEnding {
  /** `decided`: nothing was due for this report, or it is not yet sent. `superseded`: a newer report took its place before that. */
  readonly kind: 'complete' | 'failed' | 'decided' | 'superseded' | 'under-way';
  readonly text: string;
}

/** The next report of the same cluster. */
export interface NewerReport {
  /** Empty where its message had none. */
  readonly requestId: string;
  /** UTC, as PostgreSQL writes it. */
  readonly storedAt: string;
}

/** `events` oldest first, at least one. `newer`: what replaced this one's report, where something did. */
export function describeTrace(events: readonly TraceEvent[], newer?: NewerReport) {
  const moments = events.map((event) => parseRfc3339(event.at)?.micros ?? 0n);
  const lines: readonly TraceLine[] = events.map((event, index) => ({
    at: event.at,
    afterMs: index === 0 ? undefined : milliseconds(moments[index]! - moments[index - 1]!),
    hop: event.hop,
    service: event.service,
    status: event.status,
    detail: event.detail,
    failed: isTraceFailure(event.status),
  }));
  const first = <Member extends 'orgId' | 'account' | 'cluster'>(member: Member) =>
    events.find((event) => event[member] !== undefined)?.[member];
  const reachedHop = Math.max(0, ...events.map(({ hop }) => hop ?? 0));
  return {
    requestId: events[0]!.requestId,
    orgId: first('orgId'),
    account: first('account'),
    cluster: first('cluster'),
    lines,
    /** 0 when no event finished a hop. */
    reachedHop,
    totalMs: milliseconds(moments.at(-1)! - moments[0]!),
    ending: endingOf(lines, reachedHop, newer),
  };
}

/** Behind it the report waits to be decided, and a newer one takes its place. */
const storedHop = 8;

function endingOf(lines: readonly TraceLine[], reachedHop: number, newer: NewerReport | undefined): TraceEnding {
  const failures = lines.filter(({ failed }) => failed);
  const lastFailure = failures.at(-1);
  // A failure counts while nothing came after it: messages are tried again, and one target may fail where another succeeds.
  const lastProgress = lines.findLastIndex(({ hop }) => hop !== undefined);
  if (lastFailure !== undefined && lines.lastIndexOf(lastFailure) > lastProgress) {
    const where = reachedHop === 0 ? 'before the first hop' : `after hop ${reachedHop}, ${hopNames[reachedHop]?.done}`;
    return { kind: 'failed', text: `stopped ${where}: ${lastFailure.service}: ${reasonOf(lastFailure)}` };
  }
  const aside = lastFailure === undefined ? '' : `; before that ${lastFailure.service}: ${reasonOf(lastFailure)}`;
  if (reachedHop === lastHop) return { kind: 'complete', text: `all ${lastHop} hops done${aside}` };
  if (reachedHop === 10) {
    const decision = lines.findLast(({ hop }) => hop === 10)?.detail;
    const what = decision === undefined ? '' : `: ${decision}`;
    return { kind: 'decided', text: `decided${what}; nothing was due, or it is not yet delivered${aside}` };
  }
  if ((reachedHop === storedHop || reachedHop === storedHop + 1) && newer !== undefined) {
    const by = newer.requestId === '' ? 'a report without a request id' : `the report of request ${newer.requestId}`;
    return {
      kind: 'superseded',
      text: `stored, then superseded by ${by} at ${newer.storedAt} UTC: only the newest report of a cluster is decided${aside}`,
    };
  }
  const next = hopNames[reachedHop + 1];
  const come = reachedHop === 0 ? 'no hop is finished' : `came to hop ${reachedHop}, ${hopNames[reachedHop]?.done}`;
  return {
    kind: 'under-way',
    text: `${come}; hop ${reachedHop + 1} (${next?.service}: ${next?.done}) has not happened yet${aside}`,
  };
}

function reasonOf({ status, detail }: TraceLine): string {
  return detail === undefined ? status : `${status}, ${detail}`;
}

function milliseconds(micros: bigint): number {
  return Number(micros) / 1000;
}
