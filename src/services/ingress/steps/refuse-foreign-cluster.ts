/** With tokens, a cluster is its organization's alone: somebody else is refused before the body is read. Records nothing. */
import type { ClusterGuard } from '../cluster-guard.ts';
import type { IngressEvents } from '../events.ts';
import { retryAfterSeconds } from '../limits.ts';
import { type IncomingUpload, next, type Principal, reply, type StepResult } from '../upload.ts';
import { goError, unavailable } from '../web/reply.ts';

export interface GuardTools {
  /** Absent without a token file: then anybody may say anything. */
  readonly guard: ClusterGuard | undefined;
  readonly events: IngressEvents;
}

export async function refuseForeignCluster(
  upload: IncomingUpload,
  { claimant }: Principal,
  { guard, events }: GuardTools,
): Promise<StepResult<'own' | 'claim'>> {
  if (guard === undefined || claimant === undefined) return next('own');
  try {
    const decision = await guard.judge(claimant);
    if (decision !== 'refuse') return next(decision);
  } catch (error) {
    return reply(ownersUnavailable(error));
  }
  events.clusterOfAnother(upload, claimant);
  return reply(clusterOfAnother());
}

export function clusterOfAnother() {
  return goError(403, 'Upload denied: the cluster belongs to another organization', 'CLUSTER_OF_ANOTHER_ORGANIZATION');
}

/** A bug passes on. */
export function ownersUnavailable(error: unknown) {
  if (!(error instanceof Error && 'code' in error && error.code === 'OWNERS_UNAVAILABLE')) throw error;
  return unavailable(retryAfterSeconds, 'the owner of the cluster cannot be looked up, try again later', error.code);
}
