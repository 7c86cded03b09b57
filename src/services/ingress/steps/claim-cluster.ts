/**
 * With tokens, a good upload for a cluster of nobody makes it the uploader's, before anything of it is stored. An OpenShift archive without
 * a cluster id is refused: the data pipeline would take the id from the archive itself, where anybody can write any.
 */
import { type IncomingUpload, next, type Principal, type ReceivedForm, reply, type StepResult } from '../upload.ts';
import { goError, type Reply } from '../web/reply.ts';
import { clusterOfAnother, type GuardTools, ownersUnavailable } from './refuse-foreign-cluster.ts';

export async function claimCluster(
  upload: IncomingUpload,
  claim: { readonly principal: Principal; readonly form: ReceivedForm; readonly decision: 'own' | 'claim' },
  { guard, events }: GuardTools,
): Promise<StepResult<undefined>> {
  const { principal, form, decision } = claim;
  const { claimant, tokenSha256 } = principal;
  const refuse = async (answer: Reply) => {
    await form.staging.abandon();
    return reply(answer);
  };
  if (guard === undefined) return next(undefined);
  if (claimant === undefined) {
    const isAnyones = form.type.service === 'openshift' && !principal.mayOmitCluster;
    return isAnyones ? await refuse(clusterMissing()) : next(undefined);
  }
  if (decision === 'own') return next(undefined);
  try {
    if ((await guard.claim(claimant, tokenSha256)) === 'own') return next(undefined);
  } catch (error) {
    return await refuse(ownersUnavailable(error));
  }
  events.clusterOfAnother(upload, claimant);
  return await refuse(clusterOfAnother());
}

function clusterMissing(): Reply {
  return goError(400, 'Bad Request: x-rh-identity names no cluster (identity.system.cluster_id)', 'CLUSTER_MISSING');
}
