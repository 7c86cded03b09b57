/** Tells a person at the terminal what goes through, one line per event that they would care about. Listens; changes nothing. */
import type { BusinessEvent } from '../platform/telemetry/telemetry.ts';

/** The line for an event, or undefined for those that nobody needs to see. */
export function narrate({ event, fields }: BusinessEvent): string | undefined {
  const text = (name: string) => String(fields[name] ?? '-');
  switch (event) {
    case 'upload-announced':
      return `archive taken         request ${text('requestId')}`;
    case 'upload-refused':
      return `upload refused        request ${text('requestId')}: ${text('code')} (status ${text('status')})`;
    case 'rules-evaluated':
      return `rules applied         request ${text('requestId')}`;
    case 'rule-failed':
      return `rule failed           ${text('rule')}: ${text('code')}; the other rules' results count`;
    case 'report-stored':
      return `report stored         cluster ${text('cluster')}`;
    case 'issue-decided':
      return fields['reason'] === 'already-notified' || fields['reason'] === 'below-threshold'
        ? undefined
        : `decided               ${text('errorKey')} for ${text('target')}: ${text('reason')}`;
    case 'notification-delivered':
      return `notification arrived  ${text('target')}, cluster ${text('cluster')}`;
    case 'notification-dead':
      return `notification dead     ${text('target')}, ${text('code')}: ccx notifications list`;
    case 'message-dead-lettered':
      return `put aside             request ${text('requestId')} at ${text('step')}: ${text('code')}; see ccx dead-letters list`;
    case 'bus-unavailable':
      return `waiting for the bus   ${text('code')}`;
    default:
      return undefined;
  }
}
