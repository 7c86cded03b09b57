/**
 * The identity document that travels base64-encoded in `x-rh-identity` and in the announcement's `b64_identity`.
 * Produced by: gateway → consumed by: ingress (checks it), data pipeline (reads organization, account and cluster from it).
 * Source: ingress.md A.3.2, data-pipeline.md 2.3.
 */
export interface Identity {
  readonly identity: {
    readonly account_number?: string;
    readonly org_id?: string;
    readonly type?: string;
    readonly auth_type?: string;
    readonly internal?: { readonly org_id?: string; readonly auth_time?: number; readonly cross_access?: boolean };
    readonly system?: { readonly cn?: string; readonly cert_type?: string; readonly cluster_id?: string };
    readonly x509?: { readonly subject_dn?: string; readonly issuer_dn?: string };
    readonly user?: Readonly<Record<string, unknown>>;
  };
  readonly entitlements?: Readonly<Record<string, { readonly is_entitled?: boolean; readonly is_trial?: boolean }>>;
}

/** Padded standard base64 of the compact JSON text. */
export function encodeIdentity(identity: Identity): string {
  return Buffer.from(JSON.stringify(identity), 'utf8').toString('base64');
}
