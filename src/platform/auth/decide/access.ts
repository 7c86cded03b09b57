/**
 * Who may read which cluster, and who may change what is said of it: decided from what somebody's token or identity grants them and from
 * whose the cluster is. A cluster that may not be read is answered like one that is not there. Asked by whatever serves reports.
 */

/** What somebody may read. */
export type Reach =
  /** Whoever started this process, or a person at its console. */
  | { readonly kind: 'everything' }
  | { readonly kind: 'organization'; readonly orgId: number }
  /** `cluster` in lower case. */
  | { readonly kind: 'cluster'; readonly orgId: number; readonly cluster: string }
  /** Clusters that this very token was the first to upload for: a token that is bound to none names any cluster. */
  | { readonly kind: 'first-uploads'; readonly orgId: number; readonly tokenSha256: string }
  | { readonly kind: 'nothing' };

export interface Grant {
  readonly reach: Reach;
  /** Whether it may also acknowledge, enable, disable and request, as far as it reaches. */
  readonly mayWrite: boolean;
}

/** Of the row in `ccx.cluster_owners`. */
export interface KnownOwner {
  readonly orgId: number;
  /** Null where no token brought it. */
  readonly tokenSha256: string | null;
}

interface ClusterFacts {
  /** Lower case. */
  readonly cluster: string;
  /** Undefined for a cluster without a row: nobody's yet, or an installation without tokens. */
  readonly owner: KnownOwner | undefined;
}

/** `orgId`: the organization whose rows of the cluster are meant, and no other's; undefined: whichever has them. */
export type AccessDecision =
  | {
      readonly allowed: true;
      readonly reason: 'everything' | 'own-organization' | 'own-cluster' | 'first-upload';
      readonly orgId: number | undefined;
    }
  | {
      readonly allowed: false;
      readonly reason:
        | 'another-organization'
        | 'another-cluster'
        | 'another-token'
        | 'nobodys-cluster'
        | 'nothing-granted'
        | 'no-write-scope'
        | 'only-single-clusters';
    };

export function decideClusterRead({ reach }: Grant, { cluster, owner }: ClusterFacts): AccessDecision {
  switch (reach.kind) {
    case 'everything':
      return { allowed: true, reason: 'everything', orgId: owner?.orgId };
    case 'nothing':
      return refuse('nothing-granted');
    case 'organization':
      // A cluster of nobody is read by its reports, which are the organization's own.
      if (owner !== undefined && owner.orgId !== reach.orgId) return refuse('another-organization');
      return { allowed: true, reason: 'own-organization', orgId: reach.orgId };
    case 'cluster':
      if (reach.cluster !== cluster) return refuse('another-cluster');
      if (owner !== undefined && owner.orgId !== reach.orgId) return refuse('another-organization');
      return { allowed: true, reason: 'own-cluster', orgId: reach.orgId };
    case 'first-uploads':
      if (owner === undefined) return refuse('nobodys-cluster');
      if (owner.orgId !== reach.orgId) return refuse('another-organization');
      if (owner.tokenSha256 !== reach.tokenSha256) return refuse('another-token');
      return { allowed: true, reason: 'first-upload', orgId: reach.orgId };
  }
}

/** What is not to be read is not to be changed either, and gives itself away no more by that. */
export function decideClusterChange(grant: Grant, facts: ClusterFacts): AccessDecision {
  const read = decideClusterRead(grant, facts);
  return read.allowed && !grant.mayWrite ? refuse('no-write-scope') : read;
}

/** What holds for all clusters of an organization. */
export function decideOrganizationChange({ reach, mayWrite }: Grant, orgId: number): AccessDecision {
  if (reach.kind === 'nothing') return refuse('nothing-granted');
  if (reach.kind !== 'everything' && reach.orgId !== orgId) return refuse('another-organization');
  if (!mayWrite) return refuse('no-write-scope');
  if (reach.kind === 'everything') return { allowed: true, reason: 'everything', orgId };
  return reach.kind === 'organization'
    ? { allowed: true, reason: 'own-organization', orgId }
    : refuse('only-single-clusters');
}

function refuse(reason: Extract<AccessDecision, { allowed: false }>['reason']): AccessDecision {
  return { allowed: false, reason };
}
