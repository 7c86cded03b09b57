/** What a started installation says: where things are, and the line that uploads an archive. */
import type { AllInOne } from './start-all-in-one.ts';

export function describeInstallation(installation: AllInOne): string {
  const { ingress, folder, operationsUrl, receivers } = installation;
  const rows: [string, string][] = [
    ['uploads', ingress.uploadUrl],
    ['metrics', `${operationsUrl}/metrics`],
    ['readiness', `${operationsUrl}/ready`],
    ['data', folder.root],
  ];
  if (receivers.backend !== undefined) {
    const mails = receivers.backend.notifications().length;
    rows.push(['notification backend', `a stand-in, ${mails} mailed so far (receivers/notification-backend.jsonl)`]);
  }
  if (receivers.serviceLog !== undefined) {
    const entries = receivers.serviceLog.entries().length;
    rows.push(['Service Log', `a stand-in, ${entries} posted so far (${receivers.serviceLog.postUrl})`]);
  }
  return [
    '',
    'CCX Notifications runs. Ctrl-C stops it.',
    '',
    ...rows.map(([name, text]) => `  ${name.padEnd(21)} ${text}`),
    ...(receivers.backend === undefined && receivers.serviceLog === undefined
      ? ['', '  Both receivers are real: Service Log mails the same people as the notification backend.']
      : []),
    '',
    'Upload an archive:',
    '',
    `  ${curlLine(ingress.uploadUrl, installation.ownToken)}`,
    '',
  ].join('\n');
}

/** It names no cluster: the archive's own id counts then. The token ends with this process, and others cannot use it. */
function curlLine(uploadUrl: string, token: string): string {
  const part = 'file=@archive.tar.gz;type=application/vnd.redhat.openshift.periodic';
  return `curl -sS -H 'Authorization: Bearer ${token}' -F '${part}' ${uploadUrl}`;
}
