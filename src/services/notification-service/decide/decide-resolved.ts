/**
 * Whether a target is still to be notified that an issue is resolved, right before that goes out. Pure. Called when a message that waited
 * is looked at again.
 */
import type { SkipReason } from './reasons.ts';

export interface ResolvedSituation {
  /** The newest report holds it. */
  readonly isBack: boolean;
  readonly allowed: boolean;
  readonly disabled: 'disabled-by-cluster' | 'disabled-by-org' | undefined;
  /** What the target's filters say of its rule and error key. */
  readonly verdict: { readonly kind: 'pass' | SkipReason };
}

/** Why not; undefined: it is. */
export function decideResolved({ isBack, allowed, disabled, verdict }: ResolvedSituation): SkipReason | undefined {
  if (isBack) return 'back';
  if (!allowed) return 'cluster-not-allowed';
  if (disabled !== undefined) return disabled;
  return verdict.kind === 'pass' ? undefined : verdict.kind;
}
