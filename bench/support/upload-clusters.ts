/** Uploads archives of made-up clusters as their operators would, a few at a time, and tells when their owners have been told. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Clock } from '../../src/platform/clock/clock.ts';
import { BUSINESS_EVENT_CHANNEL, type BusinessEvent } from '../../src/platform/telemetry/telemetry.ts';
import type { SimulatedCluster } from '../../src/tools/cluster-simulator/simulate-cluster.ts';
import { uploadArchive } from '../../src/tools/cluster-simulator/upload-archive.ts';
import { identityOf } from '../../test/support/owner-identity.ts';

export interface UploadPlan {
  readonly uploadUrl: string;
  readonly clock: Clock;
  readonly parallel: number;
}

/** Resolves when every upload was answered 202; rejects at the first that was not. */
export async function uploadClusters(clusters: Iterable<SimulatedCluster>, plan: UploadPlan): Promise<number> {
  // One iterator for all: a generator makes the next archive only when somebody is free to send it.
  const waiting = clusters[Symbol.iterator]();
  let uploaded = 0;
  const worker = async () => {
    for (let next = waiting.next(); next.done !== true; next = waiting.next()) {
      await uploadCluster(next.value, plan);
      uploaded += 1;
    }
  };
  await Promise.all(Array.from({ length: plan.parallel }, worker));
  return uploaded;
}

async function uploadCluster(cluster: SimulatedCluster, { uploadUrl, clock }: UploadPlan): Promise<void> {
  const { clusterId, archive, gatheredAt } = cluster;
  const answer = await uploadArchive({
    url: uploadUrl,
    ...{ clusterId, archive, gatheredAt },
    identity: identityOf(clusterId),
    requestId: clock.uuid().replaceAll('-', ''),
  });
  if (answer.status !== 202 && answer.status !== 201)
    throw new Error(`an upload was answered ${answer.status}: ${answer.body}`);
}

export interface Arrivals {
  /** Resolves when so many clusters have all their notifications delivered and recorded. Rejects when something ends as a dead letter. */
  readonly complete: Promise<void>;
  close(): void;
}

/** Watches this process. To be called before the first upload. */
export function watchArrivals(clusters: number): Arrivals {
  const complete = Promise.withResolvers<void>();
  complete.promise.catch(() => undefined);
  /** Cluster → messages that are not recorded yet. */
  const open = new Map<string, number>();
  let told = 0;
  const listen = (message: unknown) => {
    const { event, fields } = message as BusinessEvent;
    const cluster = String(fields['cluster']);
    if (event === 'message-dead-lettered' || event === 'notification-dead')
      complete.reject(new Error(`${event}: ${fields['code']}`));
    if (event === 'notification-enqueued') open.set(cluster, (open.get(cluster) ?? 0) + 1);
    if (event !== 'outcome-recorded' || fields['state'] !== 'delivered') return;
    const left = (open.get(cluster) ?? 0) - 1;
    open.set(cluster, left);
    if (left > 0) return;
    open.delete(cluster);
    told += 1;
    if (told === clusters) complete.resolve();
  };
  subscribe(BUSINESS_EVENT_CHANNEL, listen);
  return { complete: complete.promise, close: () => void unsubscribe(BUSINESS_EVENT_CHANNEL, listen) };
}
