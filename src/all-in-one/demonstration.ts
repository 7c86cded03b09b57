/** The newcomer's first sight: a generated archive goes through the real flow, and what its owners would read is printed. */

import type { Clock } from '../platform/clock/clock.ts';
import { simulateCluster } from '../tools/cluster-simulator/simulate-cluster.ts';
import type { AllInOne } from './start-all-in-one.ts';
import { uploadBytes, uploadContext } from './upload-files.ts';

/** A few of different rules and risks, so that both targets have something to say. */
const findings = ['CONTROL_PLANE_NODE_REPLICAS', 'OPERATOR_UNMANAGED', 'MCP_SET_TO_PAUSE'];
const demonstrationMsMax = 60_000;

export async function runDemonstration(
  installation: AllInOne,
  { clock, tell }: { readonly clock: Clock; readonly tell: (line: string) => void },
): Promise<void> {
  const cluster = simulateCluster({ seed: 'demonstration', now: clock.now(), findings });
  tell(`First start: uploading a generated archive of a made-up cluster (${cluster.clusterId}).`);
  const upload = await uploadBytes(
    { file: 'the generated archive', archive: cluster.archive, gatheredAt: cluster.gatheredAt },
    uploadContext(installation, clock),
  );
  if (!upload.accepted) {
    tell(`The generated archive was not taken: ${upload.reason}`);
    return;
  }
  const arrived = await installation.waitUntilIdle(demonstrationMsMax);
  installation.folder.markUsed();
  const { backend, serviceLog } = installation.receivers;
  const mail = backend?.notifications().at(-1)?.mail;
  const entries = serviceLog?.entries().length ?? 0;
  if (mail !== undefined)
    tell(`\nA notification arrived. Its owners would read:\n\n${indent(`${mail.subject}\n\n${mail.text}`)}`);
  if (entries > 0) tell(`Service Log has ${entries} ${entries === 1 ? 'entry' : 'entries'} about it.`);
  if (!arrived) tell('Not everything has arrived yet; it goes on. ccx trace and ccx dead-letters list tell more.');
  const where = `--data ${installation.folder.root}`;
  tell(
    `\nLook closer:\n  src/bin/ccx explain ${cluster.clusterId} ${where}\n  src/bin/ccx trace ${upload.requestId} ${where}\n`,
  );
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '    ');
}
