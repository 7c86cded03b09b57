/**
 * One line of a request's way through the flow, as table `ccx.trace` keeps it.
 * Written by: payload tracker (from `platform.payload-status`), notification writer and notification service (hops 7 to 12, which the
 * topic does not carry) → read by: `ccx trace`, ingress `/track`, the operator's processing status.
 */
export interface TraceEvent {
  readonly requestId: string;
  readonly service: string;
  /** A `PayloadStatus` from the topic, or the name of a business event, e.g. `report-stored`. */
  readonly status: string;
  /** Hop of `topology.ts`, where the event belongs to one. */
  readonly hop?: number;
  /** Error code and text, decision counts and the like, for people. */
  readonly detail?: string;
  readonly orgId?: string;
  readonly account?: string;
  readonly cluster?: string;
  /** When it happened: RFC 3339 with up to microseconds, UTC. */
  readonly at: string;
}
