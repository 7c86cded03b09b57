/** `GET …/track/{id}`: what the payload tracker knows of a request, for those whom it concerns. Source: ingress.md A.9. */

import { isUuid } from '../../../contracts/identifiers.ts';
import type { CheckedIdentity } from '../../../contracts/identity.ts';
import type { Principal } from '../../../platform/auth/authenticator.ts';
import { callHttp } from '../../../platform/http/http-client.ts';
import { empty, json, type Reply, text } from '../reply.ts';
import type { UploadDependencies } from '../upload-dependencies.ts';

const trackerAnswerBytesMax = 4 * 1024 ** 2;

/** What is left of an entry for who does not ask for more, in this order. */
const briefMembers = ['status_msg', 'date', 'inventory_id', 'service', 'status'] as const;

export async function answerTrack(
  { id, verbosity }: { readonly id: string; readonly verbosity: string | null },
  principal: Principal,
  { settings, events }: Pick<UploadDependencies, 'settings' | 'events'>,
): Promise<Reply> {
  if (!isTrackableId(id)) return text(400, 'request id is not an uuid');
  let body: Buffer;
  let document: { readonly data?: readonly (Readonly<Record<string, unknown>> | null)[] };
  try {
    const answer = await callHttp(`${settings.trackerUrl}${encodeURIComponent(id)}`, {
      deadlineMs: settings.trackerTimeoutMs,
      answerBytesMax: trackerAnswerBytesMax,
    });
    // Its status is not looked at: for an unknown request it answers 404 with a document that has no data.
    body = answer.body;
    document = JSON.parse(body.toString('utf8')) as typeof document;
  } catch (error) {
    events.trackerUnavailable(id, error);
    return empty(500);
  }
  const entries = Array.isArray(document?.data) ? document.data : [];
  const newest = entries[0];
  if (entries.length === 0) return empty(404);
  if (!mayTrack(principal, newest?.['org_id'], settings.trustedCertificates)) return empty(403);
  if (isOfAnotherCluster(principal, newest?.['system_id'])) return empty(403);
  // Go's Atoi: anything that is no number is 0.
  const level = /^[+-]?\d+$/.test(verbosity ?? '') ? Number(verbosity) : 0;
  if (level >= 2) return { status: 200, body: body.toString('utf8'), headers: { 'content-type': 'application/json' } };
  const brief = briefMembers.flatMap((name): [string, unknown][] => {
    const value = newest?.[name];
    return typeof value === 'string' && value !== '' ? [[name, value]] : [];
  });
  return json(200, Object.fromEntries(brief));
}

/** `ownerOrgId`: the organization that the tracker names; accounts are not compared. */
export function mayTrack(
  identity: Pick<CheckedIdentity, 'type' | 'orgId' | 'x509SubjectDn'>,
  ownerOrgId: unknown,
  trustedCertificates: readonly string[],
): boolean {
  if (identity.type === 'Associate') return true;
  const certificate = identity.x509SubjectDn.slice(identity.x509SubjectDn.lastIndexOf('=') + 1);
  if (certificate !== '' && trustedCertificates.includes(certificate)) return true;
  // An associate's or a certificate's identity may have no organization: that must not equal a missing owner.
  return identity.orgId !== '' && identity.orgId === ownerOrgId;
}

/** `systemId`: the cluster, once a report of it was read. Before, an upload is known by its organization and its id alone. */
function isOfAnotherCluster({ onlyCluster }: Pick<Principal, 'onlyCluster'>, systemId: unknown): boolean {
  if (onlyCluster === undefined || typeof systemId !== 'string' || !isUuid(systemId)) return false;
  return systemId.toLowerCase() !== onlyCluster;
}

/** The forms that Go's uuid package reads: dashed, 32 digits, `urn:uuid:…`, `{…}`. */
export function isTrackableId(id: string): boolean {
  const dashed = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';
  return new RegExp(`^(?:${dashed}|urn:uuid:${dashed}|\\{${dashed}\\}|[0-9a-f]{32})$`, 'i').test(id);
}
