/** The operators of made-up clusters: each has gathered its archive once and sends it until somebody accepts it. */

import { createSystemClock } from '../../src/platform/clock/clock.ts';
import { simulateCluster } from '../../src/tools/cluster-simulator/simulate-cluster.ts';
import { uploadArchive } from '../../src/tools/cluster-simulator/upload-archive.ts';
import { identityOf } from '../support/owner-identity.ts';
import type { Uploaded } from './check-promises.ts';

export interface Gathering {
  readonly cluster: string;
  readonly findings: readonly string[];
  readonly archive: Buffer;
  readonly gatheredAt: Date;
  /** As in `Uploaded`. */
  readonly putAside: string | undefined;
  requestId: string;
  readonly accepted: string[];
  /** How often it was sent. */
  attempts: number;
}

export interface Operators {
  /** The next cluster's; `broken` is what it sends in place of an archive, and the code that this is to be dead-lettered with. */
  gather(broken?: { readonly archive: Buffer; readonly code: string }): Gathering;
  /** Sends it once more; true when it was answered with 202. */
  upload(gathering: Gathering, uploadUrl: string, how: 'same-id' | 'new-id'): Promise<boolean>;
  /** Gatherings that nobody has acknowledged. */
  waiting(): readonly Gathering[];
  uploads(): readonly Uploaded[];
}

const clock = createSystemClock();

/** Findings of which both targets are told at the all-in-one process's thresholds; a cluster may have none. */
const toldByAllInOne: readonly (readonly string[])[] = [
  ['CONTROL_PLANE_NODE_REPLICAS', 'MCP_SET_TO_PAUSE', 'OPERATOR_UNMANAGED'],
  ['UNSUPPORTED_CNI_PLUGIN'],
  ['IMAGE_REGISTRY_STORAGE_NOT_CONFIGURED', 'MCP_SET_TO_PAUSE'],
  [],
];

/** `findingSets`: what the clusters have, in turn. With so many `clusters` gathered, the first one's operator gathers again. */
export function createOperators(
  seed: string,
  findingSets = toldByAllInOne,
  clusters = Number.POSITIVE_INFINITY,
): Operators {
  const gatherings: Gathering[] = [];
  const newId = () => clock.uuid().replaceAll('-', '');
  return {
    gather(broken) {
      const number = gatherings.length % clusters;
      const findings = broken === undefined ? findingSets[number % findingSets.length]! : [];
      const simulated = simulateCluster({ seed: `${seed} ${number}`, now: clock.now(), findings });
      const gathering: Gathering = {
        cluster: simulated.clusterId,
        findings,
        archive: broken?.archive ?? simulated.archive,
        gatheredAt: simulated.gatheredAt,
        putAside: broken?.code,
        requestId: newId(),
        accepted: [],
        attempts: 0,
      };
      gatherings.push(gathering);
      return gathering;
    },
    async upload(gathering, uploadUrl, how) {
      if (how === 'new-id') gathering.requestId = newId();
      const { cluster, archive, gatheredAt, requestId } = gathering;
      const identity = identityOf(cluster);
      gathering.attempts += 1;
      const answer = await uploadArchive({
        ...{ url: uploadUrl, archive, clusterId: cluster, gatheredAt, identity, requestId },
      }).catch(() => undefined);
      if (answer?.status !== 202) return false;
      gathering.accepted.push(requestId);
      return true;
    },
    waiting: () => gatherings.filter(({ accepted }) => accepted.length === 0),
    uploads: () =>
      gatherings.map(({ cluster, findings, accepted, putAside }) => ({
        ...{ cluster, findings, accepted },
        ...(putAside === undefined ? {} : { putAside }),
      })),
  };
}
