/** By which of Node's error codes a TLS handshake ended because of the other side's certificate: somebody must act before it helps to try again. */

/** Why certificates are refused, as OpenSSL and Node name it. */
export const certificateCodes: ReadonlySet<string> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'ERR_TLS_CERT_ALTNAME_INVALID',
]);

/** Deeper chains than this are no chains of causes. */
const causesMax = 10;

/** Codes along the causes; of several addresses that were tried in vain, those of all. */
export function codesAlongCauses(error: unknown, depth = 0): string[] {
  if (!(error instanceof Error) || depth > causesMax) return [];
  const own = 'code' in error && typeof error.code === 'string' ? [error.code] : [];
  const tried = 'errors' in error && Array.isArray(error.errors) ? error.errors : [];
  return [...own, ...[...tried, error.cause].flatMap((inner) => codesAlongCauses(inner, depth + 1))];
}

/** The code by which a certificate was refused, along the causes. */
export function certificateRefusal(error: unknown): string | undefined {
  return codesAlongCauses(error).find((code) => certificateCodes.has(code));
}
