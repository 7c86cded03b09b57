/** Uploads the archives of many made-up clusters, some at a time. Used by `ccx simulate`. */

import type { Identity } from '../../contracts/identity.ts';
import { errorCode, errorText } from '../../encoding/ccx-error.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import { randomFindings, simulateCluster } from './simulate-cluster.ts';
import { uploadArchive } from './upload-archive.ts';

export interface FleetOptions {
  readonly url: string;
  readonly clusters: number;
  /** Clusters `seed`, `seed + 1`, … */
  readonly seed: number;
  /** Absent: each cluster gets its own, chosen by its seed. */
  readonly findings?: readonly string[];
  readonly version?: string;
  readonly size?: 'small' | 'typical';
  readonly parallel: number;
  readonly token?: string;
  /** Whom the clusters belong to when no gateway stands before ingress; then each upload carries an identity. */
  readonly owner?: { readonly orgId: string; readonly account: string };
}

export interface FleetUpload {
  readonly clusterId: string;
  readonly findings: readonly string[];
  readonly elapsedMs: number;
  /** Absent when there was no answer. */
  readonly status?: number;
  readonly requestId?: string;
  /** Of an answer that is not 2xx, or why there was none. */
  readonly error?: string;
}

/** Reports every upload to `onUpload` as it ends, and resolves to the number of those that were not accepted. */
export async function simulateFleet(
  options: FleetOptions,
  clock: Clock,
  onUpload: (upload: FleetUpload) => void,
): Promise<number> {
  let next = 0;
  let refused = 0;
  const worker = async () => {
    while (next < options.clusters) {
      const seed = options.seed + next;
      next += 1;
      const upload = await simulateOne(options, seed, clock);
      if (upload.error !== undefined) refused += 1;
      onUpload(upload);
    }
  };
  await Promise.all(Array.from({ length: Math.min(options.parallel, options.clusters) }, worker));
  return refused;
}

async function simulateOne(options: FleetOptions, seed: number, clock: Clock): Promise<FleetUpload> {
  const { clusterId, findings, archive, gatheredAt } = simulateCluster({
    seed,
    now: clock.now(),
    findings: options.findings ?? randomFindings(seed),
    version: options.version,
    size: options.size,
  });
  const startedMs = clock.monotonicMs();
  const upload = () => ({ clusterId, findings, elapsedMs: Math.round(clock.monotonicMs() - startedMs) });
  try {
    const { status, requestId, body } = await uploadArchive({
      url: options.url,
      archive,
      clusterId,
      gatheredAt,
      token: options.token,
      identity: options.owner && identityOf(clusterId, options.owner),
    });
    const accepted = status >= 200 && status < 300;
    return { ...upload(), status, requestId, error: accepted ? undefined : body.trim() || `HTTP ${status}` };
  } catch (error) {
    return { ...upload(), error: `${errorText(error)} [${errorCode(error)}]` };
  }
}

/** The document that the gateway makes of an operator's token. Source: ingress.md C.2. */
function identityOf(clusterId: string, { orgId, account }: { orgId: string; account: string }): Identity {
  return {
    identity: {
      account_number: account,
      org_id: orgId,
      type: 'System',
      auth_type: 'uhc-auth',
      internal: { org_id: orgId },
      system: { cluster_id: clusterId },
    },
  };
}
