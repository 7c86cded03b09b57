/**
 * What an operator in job mode, and a person with a request id, is told of it: from the facts of its report, if one was stored, else from
 * its trace. Any word but `processed` means "not yet" to the operator, which asks again.
 */
import { isTraceFailure, type TraceEvent } from '../../../contracts/trace-event.ts';

/** Facts of a stored report, by its request. */
export interface StoredRequest {
  /** Its row in `new_reports` is there. */
  readonly hasReport: boolean;
  /** Of the cluster's newest report, where that is another one; empty where its message had none. */
  readonly supersededBy: string | undefined;
}

/** `unknown` is answered like a request of somebody else. */
type RequestDecision =
  | { readonly status: 'processed'; readonly supersededBy: string | undefined }
  | { readonly status: 'superseded'; readonly supersededBy: string }
  | { readonly status: 'dead-lettered' | 'processing'; readonly detail: string }
  | { readonly status: 'unknown' };

/** `trace`: oldest first. */
export function decideRequest(
  stored: StoredRequest | undefined,
  trace: readonly Pick<TraceEvent, 'service' | 'status' | 'hop' | 'detail'>[],
): RequestDecision {
  if (stored?.hasReport === true) return { status: 'processed', supersededBy: stored.supersededBy };
  if (stored?.supersededBy !== undefined) return { status: 'superseded', supersededBy: stored.supersededBy };
  if (trace.length === 0) return { status: 'unknown' };
  // A failure counts while nothing came after it: messages are tried again.
  const failure = trace.findLastIndex(({ status }) => isTraceFailure(status));
  const progress = trace.findLastIndex(({ hop }) => hop !== undefined);
  if (failure > progress) {
    const { service, status, detail } = trace[failure]!;
    return { status: 'dead-lettered', detail: `${service}: ${detail ?? status}` };
  }
  const last = trace[progress] ?? trace.at(-1)!;
  return { status: 'processing', detail: `${last.service}: ${last.status}` };
}

/**
 * Whether a trace is of a cluster's request, as far as it says: until a report is stored, events name the organization alone. Ids of those
 * who come with a token are made by ingress and cannot be guessed, so that only whom it was told to knows one.
 */
export function isTraceOf(
  { cluster, orgId }: { readonly cluster: string; readonly orgId: number },
  trace: readonly Pick<TraceEvent, 'orgId' | 'cluster' | 'systemId'>[],
): boolean {
  const organizations = trace.flatMap((event) => event.orgId ?? []);
  const clusters = trace.flatMap((event) => [event.cluster ?? [], event.systemId ?? []].flat());
  return (
    organizations.length > 0 &&
    organizations.every((id) => id === String(orgId)) &&
    clusters.every((id) => id.toLowerCase() === cluster)
  );
}
