/** Who may see what happened to a request. Source: ingress.md A.9. */
import type { CheckedIdentity } from '../../../contracts/identity.ts';

/** `ownerOrgId`: the organization that the tracker names; accounts are not compared. */
export function mayTrack(
  identity: Pick<CheckedIdentity, 'type' | 'orgId' | 'x509SubjectDn'>,
  ownerOrgId: unknown,
  trustedCertificates: ReadonlySet<string>,
): boolean {
  if (identity.type === 'Associate') return true;
  const certificate = identity.x509SubjectDn.slice(identity.x509SubjectDn.lastIndexOf('=') + 1);
  if (certificate !== '' && trustedCertificates.has(certificate)) return true;
  // An associate's or a certificate's identity may have no organization: that must not equal a missing owner.
  return identity.orgId !== '' && identity.orgId === ownerOrgId;
}

/** The forms that Go's uuid package reads: dashed, 32 digits, `urn:uuid:…`, `{…}`. */
export function isTrackableId(id: string): boolean {
  const dashed = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';
  return new RegExp(`^(?:${dashed}|urn:uuid:${dashed}|\\{${dashed}\\}|[0-9a-f]{32})$`, 'i').test(id);
}
