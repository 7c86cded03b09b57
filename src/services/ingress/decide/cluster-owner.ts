/**
 * Whether somebody may upload for a cluster, where uploads come with tokens. The order of who counts: a person or a bound token that has
 * settled it, then what the token file binds the cluster to, then whoever was first.
 */

/** Who uploads for the cluster, and what vouches for it. */
interface OwnershipClaim {
  readonly orgId: number | undefined;
  readonly proof: 'bound-token' | 'token' | 'header' | 'own-token';
}

interface ClusterState {
  /** Undefined: nobody yet, or nobody knows. */
  readonly owner: { readonly orgId: number; readonly bound: boolean } | undefined;
  /** Organizations whose tokens are bound to it. */
  readonly boundTo: readonly number[];
}

/** `claim`: it may, and is to be recorded as the owner. */
export type OwnershipDecision = 'own' | 'claim' | 'refuse';

export function decideOwnership({ orgId, proof }: OwnershipClaim, { owner, boundTo }: ClusterState): OwnershipDecision {
  if (orgId === undefined) return 'refuse';
  if (owner?.bound === true) return owner.orgId === orgId ? 'own' : 'refuse';
  if (boundTo.length > 0 && !boundTo.includes(orgId)) return 'refuse';
  if (proof === 'bound-token') return 'claim';
  if (owner !== undefined) return owner.orgId === orgId ? 'own' : 'refuse';
  return proof === 'own-token' ? 'own' : 'claim';
}
