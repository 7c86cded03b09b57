/**
 * Uploads the archives of many made-up clusters, some at a time: each once, or of a fleet that lives on, again and again. Used by
 * `ccx simulate`.
 */

import type { Identity } from '../../contracts/identity.ts';
import { errorCode, errorText } from '../../encoding/ccx-error.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import { clusterStateAt, simulatedClusterId } from './cluster-life.ts';
import { randomFindings, type SimulateClusterOptions, simulateCluster } from './simulate-cluster.ts';
import { uploadArchive } from './upload-archive.ts';

interface UploadingOptions {
  readonly url: string;
  readonly clusters: number;
  readonly seed: number;
  readonly size?: 'small' | 'typical';
  readonly parallel: number;
  readonly token?: string;
  /** Whom the clusters belong to when no gateway stands before ingress; then each upload carries an identity. */
  readonly owner?: { readonly orgId: string; readonly account: string };
}

/** Clusters `seed`, `seed + 1`, … */
export interface FleetOptions extends UploadingOptions {
  /** Absent: each cluster gets its own, chosen by its seed. */
  readonly findings?: readonly string[];
  readonly version?: string;
}

/** Simulated clusters 0, 1, … of one seed. */
interface LivingFleetOptions extends UploadingOptions {
  /** Uploads of all clusters together in a second. */
  readonly rate: number;
  /** So many days of their lives pass in a day. */
  readonly speed: number;
  /** Absent: until the signal aborts. */
  readonly uploads?: number;
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
  const { findings, version } = options;
  return await uploadInParallel(options, options.clusters, onUpload, async (index) => {
    const seed = options.seed + index;
    return await uploadOne(options, { seed, findings: findings ?? randomFindings(seed), version }, clock);
  });
}

/**
 * A fleet of simulated clusters that age, break, heal and upgrade: they upload in turn, at a rate, what `cluster-life.ts` says of them.
 * One that is away when it is its turn uploads nothing, which counts as no upload. Where ingress is slower than the rate, its answers
 * are the rate. Resolves as `simulateFleet`.
 */
export async function simulateLivingFleet(
  options: LivingFleetOptions,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
  onUpload: (upload: FleetUpload) => void,
): Promise<number> {
  const startedMs = clock.monotonicMs();
  const started = clock.now().getTime();
  const turns = options.uploads ?? Number.POSITIVE_INFINITY;
  return await uploadInParallel(
    options,
    turns,
    onUpload,
    async (turn) => {
      const member = { seed: options.seed, number: turn % options.clusters };
      const waitMs = (turn / options.rate) * 1_000 - (clock.monotonicMs() - startedMs);
      if (waitMs > 0) await clock.sleep(waitMs, signal).catch(() => undefined);
      if (signal.aborted) return undefined;
      const { isReporting, ...state } = clusterStateAt(member, livedUntil(started, options.speed, clock.now()));
      if (!isReporting) return undefined;
      const seed = `${member.seed} ${member.number}`;
      return await uploadOne(options, { ...state, seed, clusterId: simulatedClusterId(member) }, clock);
    },
    signal,
  );
}

/** What time it is in the lives of clusters that live faster since a moment. */
function livedUntil(started: number, speed: number, now: Date): Date {
  return new Date(started + (now.getTime() - started) * speed);
}

async function uploadInParallel(
  { parallel }: Pick<UploadingOptions, 'parallel'>,
  turns: number,
  onUpload: (upload: FleetUpload) => void,
  uploadTurn: (turn: number) => Promise<FleetUpload | undefined>,
  signal?: AbortSignal,
): Promise<number> {
  let next = 0;
  let refused = 0;
  const worker = async () => {
    while (next < turns && signal?.aborted !== true) {
      const turn = next;
      next += 1;
      const upload = await uploadTurn(turn);
      if (upload === undefined) continue;
      if (upload.error !== undefined) refused += 1;
      onUpload(upload);
    }
  };
  await Promise.all(Array.from({ length: Math.min(parallel, turns) }, worker));
  return refused;
}

async function uploadOne(
  options: UploadingOptions,
  cluster: Pick<SimulateClusterOptions, 'seed' | 'clusterId' | 'findings' | 'version'>,
  clock: Clock,
): Promise<FleetUpload> {
  const { clusterId, findings, archive, gatheredAt } = simulateCluster({
    ...{ ...cluster, now: clock.now() },
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
