/** A status message as an event of the trace. Source: ingress.md A.8. */
import { deadLetter, done, type Outcome } from '../../../contracts/outcome.ts';
import { parsePayloadStatus } from '../../../contracts/payload-status.ts';
import { hopOfStatus, type TraceEvent } from '../../../contracts/trace-event.ts';
import { formatRfc3339 } from '../../../encoding/rfc3339.ts';
import type { BusRecord } from '../../../platform/bus/bus.ts';

export function parseStatus(record: BusRecord): Outcome<TraceEvent> {
  const parsed = parsePayloadStatus(record.value);
  if (parsed.kind === 'refused') return deadLetter(parsed.error);
  const { status } = parsed;
  const hop = hopOfStatus(status.service, status.status);
  return done({
    requestId: status.requestId,
    service: status.service,
    status: status.status,
    at: formatRfc3339(status.date.micros),
    ...(hop === undefined ? {} : { hop }),
    ...known('detail', status.statusMessage),
    ...known('orgId', status.orgId),
    ...known('account', status.account),
    ...known('source', status.source),
    ...known('inventoryId', status.inventoryId),
    ...known('systemId', status.systemId),
  });
}

function known<Name extends string>(name: Name, value: string | undefined): { readonly [Key in Name]?: string } {
  return value === undefined ? {} : ({ [name]: value } as { readonly [Key in Name]: string });
}
