/**
 * One line of a request's way through the flow, as table `ccx.trace` keeps it.
 * Written by: payload tracker (from `platform.payload-status`), notification writer and notification service (hops 7 to 12, which the
 * topic does not carry) → read by: `ccx trace`, ingress `/track`, the operator's processing status.
 */
import { STATUS_SERVICE_DATA_PIPELINE, STATUS_SERVICE_INGRESS, STATUS_SERVICE_WRITER } from './payload-status.ts';

export interface TraceEvent {
  readonly requestId: string;
  readonly service: string;
  /** A `PayloadStatus` from the topic, or the name of a business event, e.g. `report-stored`. */
  readonly status: string;
  /** Hop of `topology.ts`, where the event belongs to one. */
  readonly hop?: number;
  /** Error code and text, decision counts and the like, for people; `status_msg` of the topic. */
  readonly detail?: string;
  readonly orgId?: string;
  readonly account?: string;
  readonly cluster?: string;
  /** These three exist on the topic only. */
  readonly source?: string;
  readonly inventoryId?: string;
  readonly systemId?: string;
  /** When it happened: RFC 3339 with up to microseconds, UTC. */
  readonly at: string;
}

/** Status words of the topic that finish a hop, by service. The reference's writer says no more than these, so its traces end at hop 8. */
const hopsOfStatuses: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  [STATUS_SERVICE_INGRESS]: { received: 1, success: 2 },
  [STATUS_SERVICE_DATA_PIPELINE]: { received: 3, processing: 5, success: 6 },
  [STATUS_SERVICE_WRITER]: { received: 7, success: 8 },
};

/** The hop that a status message of the topic is about, if it is one of ours and did not fail. Source: ingress.md A.8, data-pipeline.md 6.2. */
export function hopOfStatus(service: string, status: string): number | undefined {
  return Object.hasOwn(hopsOfStatuses, service) && Object.hasOwn(hopsOfStatuses[service]!, status)
    ? hopsOfStatuses[service]![status]
    : undefined;
}

/** Whether an event tells that the request went no further: a failure, or a message dead-lettered. */
export function isTraceFailure(status: string): boolean {
  return status === 'error' || status === 'message-dead-lettered' || status === 'notification-dead';
}
