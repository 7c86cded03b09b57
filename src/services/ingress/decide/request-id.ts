/**
 * Which request id an upload gets. The client's own is kept as it is, since later everything is found by it; what cannot be a storage key,
 * a header and a line of a log is refused. Source: ingress.md A.3.1.
 */

interface RequestIdPolicy {
  readonly charactersMax: number;
  /** Keys that the object store keeps for ingress itself. */
  readonly isReserved: (id: string) => boolean;
}

type RequestIdDecision = { readonly kind: 'given'; readonly id: string } | { readonly kind: 'absent' | 'refused' };

export function decideRequestId(header: string | undefined, policy: RequestIdPolicy): RequestIdDecision {
  if (header === undefined || header === '') return { kind: 'absent' };
  const isUsable =
    header.length <= policy.charactersMax &&
    /^[\x20-\x7e]+$/.test(header) &&
    /[A-Za-z0-9]/.test(header) &&
    !policy.isReserved(header);
  return isUsable ? { kind: 'given', id: header } : { kind: 'refused' };
}
