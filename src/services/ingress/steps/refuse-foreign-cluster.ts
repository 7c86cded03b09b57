/**
 * With tokens, a cluster is its organization's alone: somebody else is refused before the body is read, and a good upload for a cluster of
 * nobody makes it the uploader's, before anything of it is stored.
 */
import { errorCode } from '../../../encoding/ccx-error.ts';
import type { Principal } from '../../../platform/auth/authenticator.ts';
import { EarlyReply, goError, unavailable } from '../reply.ts';
import type { IncomingUpload, ReceivedForm } from '../upload.ts';
import type { UploadDependencies } from '../upload-dependencies.ts';

/** Records nothing. `claim`: the cluster is nobody's yet. */
export async function refuseForeignCluster(
  upload: IncomingUpload,
  { claimant }: Principal,
  { guard, events }: UploadDependencies,
): Promise<'own' | 'claim'> {
  if (guard === undefined || claimant === undefined) return 'own';
  const decision = await guard.judge(claimant).catch(ownersUnavailable);
  if (decision !== 'refuse') return decision;
  events.clusterOfAnother(upload, claimant);
  throw new EarlyReply(clusterOfAnother());
}

/**
 * An OpenShift archive without a cluster id is refused: the data pipeline would take the id from the archive itself, where anybody can
 * write any.
 */
export async function claimCluster(
  upload: IncomingUpload,
  claim: { readonly principal: Principal; readonly form: ReceivedForm; readonly decision: 'own' | 'claim' },
  { guard, events }: UploadDependencies,
): Promise<void> {
  const { principal, form, decision } = claim;
  const { claimant, tokenSha256 } = principal;
  if (guard === undefined) return;
  try {
    if (claimant === undefined) {
      if (form.type.service === 'openshift' && !principal.mayOmitCluster) throw new EarlyReply(clusterMissing());
      return;
    }
    if (decision === 'own') return;
    if ((await guard.claim(claimant, tokenSha256).catch(ownersUnavailable)) === 'own') return;
    events.clusterOfAnother(upload, claimant);
    throw new EarlyReply(clusterOfAnother());
  } catch (error) {
    await form.staging.abandon();
    throw error;
  }
}

function clusterOfAnother() {
  return goError(403, 'Upload denied: the cluster belongs to another organization', 'CLUSTER_OF_ANOTHER_ORGANIZATION');
}

function clusterMissing() {
  return goError(400, 'Bad Request: x-rh-identity names no cluster (identity.system.cluster_id)', 'CLUSTER_MISSING');
}

/** A bug passes on. */
function ownersUnavailable(error: unknown): never {
  if (errorCode(error) !== 'OWNERS_UNAVAILABLE') throw error;
  throw new EarlyReply(unavailable('the owner of the cluster cannot be looked up, try again later', errorCode(error)));
}
