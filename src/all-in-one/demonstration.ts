/**
 * The newcomer's first sight: the generated archive of a simulated cluster goes through the real flow, and what its owners would read is
 * printed; then some more of them report, so that there is a fleet to look at. Called by `ccx all-in-one --demo` on its first start.
 */
import type { Clock } from '../platform/clock/clock.ts';
import { clusterStateAt, simulatedClusterId } from '../tools/cluster-simulator/cluster-life.ts';
import { simulateCluster } from '../tools/cluster-simulator/simulate-cluster.ts';
import type { AllInOne } from './start-all-in-one.ts';
import { uploadBytes } from './upload-files.ts';

/** Of the first cluster: a few of different rules and risks, so that both targets have something to say. */
const firstFindings = ['CONTROL_PLANE_NODE_REPLICAS', 'OPERATOR_UNMANAGED', 'MCP_SET_TO_PAUSE'];
const demonstrationMsMax = 60_000;
const fleetSeed = 'demonstration';
/** The first one among them. */
export const DEMONSTRATED_CLUSTERS = 20;
/** Like the children that run rules: more would only wait. */
const uploadsAtATime = 2;

interface Demonstration {
  readonly clock: Clock;
  readonly print: (line: string) => void;
  /** Lines about clusters that nobody has uploaded by hand are left out meanwhile. */
  readonly beQuiet: (isQuiet: boolean) => void;
  readonly signal: AbortSignal;
}

export async function runDemonstration(installation: AllInOne, context: Demonstration): Promise<void> {
  const { clock, print } = context;
  const clusterId = simulatedClusterId({ seed: fleetSeed, number: 0 });
  const cluster = simulateCluster({ seed: fleetSeed, clusterId, now: clock.now(), findings: firstFindings });
  print(`First start: uploading a generated archive of a simulated cluster (${clusterId}).`);
  const upload = await uploadBytes(cluster.archive, installation, cluster.gatheredAt);
  if (!upload.accepted) {
    print(`The generated archive was not taken: ${upload.reason}`);
    return;
  }
  const arrived = await installation.waitUntilIdle(demonstrationMsMax);
  installation.folder.markUsed();
  const { backend, serviceLog } = installation.standIns;
  const mail = backend?.notifications().at(-1)?.mail;
  const entries = serviceLog?.entries().length ?? 0;
  if (mail !== undefined)
    print(`\nA notification arrived. Its owners would read:\n\n${indent(`${mail.subject}\n\n${mail.text}`)}`);
  if (entries > 0) print(`Service Log has ${entries} ${entries === 1 ? 'entry' : 'entries'} about it.`);
  if (!arrived) print('Not everything has arrived yet; it goes on. ccx trace and ccx dead-letters list tell more.');
  const where = `--data ${installation.folder.root}`;
  print(
    `\nLook closer:\n  src/bin/ccx explain ${clusterId} ${where}\n  src/bin/ccx trace ${upload.requestId} ${where}\n`,
  );
  await showFleet(installation, context);
}

async function showFleet(installation: AllInOne, { clock, print, beQuiet, signal }: Demonstration): Promise<void> {
  beQuiet(true);
  try {
    let next = 1;
    const uploader = async () => {
      while (next < DEMONSTRATED_CLUSTERS && !signal.aborted) {
        const member = { seed: fleetSeed, number: next };
        next += 1;
        const now = clock.now();
        const { version, findings } = clusterStateAt(member, now);
        const clusterId = simulatedClusterId(member);
        const seed = `${member.seed} ${member.number}`;
        const cluster = simulateCluster({ seed, clusterId, now, version, findings });
        await uploadBytes(cluster.archive, installation, cluster.gatheredAt);
      }
    };
    await Promise.all(Array.from({ length: uploadsAtATime }, uploader));
    if (!signal.aborted) await installation.waitUntilIdle(demonstrationMsMax);
  } finally {
    beQuiet(false);
  }
  if (signal.aborted) return;
  const { backend, serviceLog } = installation.standIns;
  const told = [
    ...(backend === undefined ? [] : [`${backend.notifications().length} mails`]),
    ...(serviceLog === undefined ? [] : [`${serviceLog.entries().length} entries in Service Log`]),
  ];
  print(
    `${DEMONSTRATED_CLUSTERS} simulated clusters have reported${told.length === 0 ? '' : ` (${told.join(', ')})`}. ` +
      'They are gone as soon as a real one reports, or by\n' +
      `  src/bin/ccx simulate --remove --data ${installation.folder.root}\n`,
  );
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '    ');
}
