/** What a started installation says: where things are, and the line that uploads an archive. */

import type { BusinessEvent } from '../platform/telemetry/telemetry.ts';
import type { AllInOne } from './start-all-in-one.ts';

export function describeInstallation(installation: AllInOne): string {
  const { ingress, folder, operationsUrl, standIns, receivers } = installation;
  const rows: [string, string][] = [
    ['uploads', ingress.uploadUrl],
    ['metrics', `${operationsUrl}/metrics`],
    ['readiness', `${operationsUrl}/ready`],
    ['data', folder.root],
  ];
  if (standIns.backend !== undefined) {
    const mails = standIns.backend.notifications().length;
    rows.push(['notification backend', `a stand-in, ${mails} mailed so far (receivers/notification-backend.jsonl)`]);
  }
  if (standIns.serviceLog !== undefined) {
    const entries = standIns.serviceLog.entries().length;
    rows.push(['Service Log', `a stand-in, ${entries} posted so far (${standIns.serviceLog.postUrl})`]);
  }
  for (const { name, address } of receivers) rows.push(['tells', `${name}, ${address}`]);
  return [
    '',
    'CCX Notifications runs. Ctrl-C stops it.',
    '',
    ...rows.map(([name, text]) => `  ${name.padEnd(21)} ${text}`),
    ...aboutReceivers(installation),
    '',
    'Upload an archive:',
    '',
    `  ${curlLine(ingress.uploadUrl, installation.ownToken)}`,
    '',
  ].join('\n');
}

/** One line each for who is told in place of a stand-in. */
const insteadOfStandIns = [
  '  src/bin/ccx all-in-one --alertmanager http://HOST:9093',
  '  src/bin/ccx all-in-one --mail ADDRESS --smtp HOST',
];

function aboutReceivers({ standIns, receivers }: AllInOne): readonly string[] {
  if (standIns.backend !== undefined || standIns.serviceLog !== undefined)
    return ['', 'Tell people in place of the stand-ins:', '', ...insteadOfStandIns];
  if (receivers.length > 0) return [];
  return ['', '  Both receivers are real: Service Log mails the same people as the notification backend.'];
}

/** It names no cluster: the archive's own id counts then. The token ends with this process, and others cannot use it. */
function curlLine(uploadUrl: string, token: string): string {
  const part = 'file=@archive.tar.gz;type=application/vnd.redhat.openshift.periodic';
  return `curl -sS -H 'Authorization: Bearer ${token}' -F '${part}' ${uploadUrl}`;
}

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
      return `dead-lettered         request ${text('requestId')} at ${text('step')}: ${text('code')}; see ccx dead-letters list`;
    case 'bus-unavailable':
      return `waiting for the bus   ${text('code')}`;
    default:
      return undefined;
  }
}
