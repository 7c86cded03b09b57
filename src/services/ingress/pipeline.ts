/** What is done with one upload, in order: the order of the reference's checks, as far as a client can see it. Source: ingress.md A.1. */
import type { Authenticator, Principal } from '../../platform/auth/authenticator.ts';
import { formBoundary } from './multipart-reader.ts';
import { authenticationRefused, EarlyReply, json, type Reply, text, uploadBody } from './reply.ts';
import { admitUpload, fileNotFound } from './steps/admit-upload.ts';
import { receiveForm } from './steps/receive-form.ts';
import { claimCluster, refuseForeignCluster } from './steps/refuse-foreign-cluster.ts';
import { announceUpload, storeArchive } from './steps/store-archive.ts';
import type { IncomingUpload } from './upload.ts';
import type { UploadDependencies } from './upload-dependencies.ts';

/** A connectivity check's whole body; a genuine one has 20 bytes. It is read before there is a slot for it. */
const testBodyBytesMax = 4 * 1024;

export type UploadPipeline = (upload: IncomingUpload) => Promise<Reply>;

/** A step that ends the upload throws an `EarlyReply`; what else is thrown is a bug and passes on. */
export function createUploadPipeline(dependencies: UploadDependencies): UploadPipeline {
  const { authenticator, settings, events } = dependencies;

  return async function handleUpload(upload) {
    let principal: Principal | undefined;
    try {
      principal = await authenticateRequest(upload, authenticator);
      await answerTestRequest(upload, principal);
      refuseDeniedOrganization(principal, settings.deniedOrgIds);
      const decision = await refuseForeignCluster(upload, principal, dependencies);
      events.uploadBegun(upload);

      // What is no form needs no room.
      const boundary = formBoundary(upload.contentType);
      if (boundary === undefined) throw new EarlyReply(fileNotFound());
      const leave = await admitUpload(upload, principal, dependencies);
      try {
        const form = await receiveForm(upload, principal, { ...dependencies, boundary });
        await claimCluster(upload, { principal, form, decision }, dependencies);
        events.uploadValidated(upload, principal, form);

        const stageMs = await storeArchive(upload, { principal, form }, dependencies);
        events.archiveStored(upload, principal, { form, stageMs });

        const announced = await announceUpload(upload, { principal, form }, dependencies);
        if (announced === 'sent') events.uploadAnnounced(upload, principal, form);
        else events.uploadKept(upload, principal, form);

        // The one success of its own number: what insights-client looks for.
        const status = form.type.service === 'advisor' && !form.hasMetadata ? 201 : 202;
        return json(status, uploadBody(upload.requestId, principal.accountNumber, principal.orgId));
      } finally {
        leave();
      }
    } catch (error) {
      if (!(error instanceof EarlyReply)) throw error;
      if (error.reply.status < 300) events.testAnswered(upload);
      else events.uploadRefused(upload, principal, error.reply);
      return error.reply;
    }
  };
}

/** Who uploads: from the identity header, or from a token when the gateway is on. Source: ingress.md A.3.2, C.2. */
async function authenticateRequest(upload: IncomingUpload, authenticator: Authenticator): Promise<Principal> {
  const answer = await authenticator.authenticate(upload);
  if (answer.kind === 'refused') throw new EarlyReply(authenticationRefused(answer.refusal));
  return answer.principal;
}

/**
 * A connectivity check is answered before anything else is looked at, even for a denied organization. What such a body is, is small: one
 * that is not read to its end here is none. Source: ingress.md A.4.1.
 */
async function answerTestRequest(upload: IncomingUpload, { accountNumber, orgId }: Principal): Promise<void> {
  const bodyKind = testBodyKind(upload.contentType);
  const body = bodyKind === 'none' ? '' : await upload.body.text(testBodyBytesMax).catch(() => undefined);
  if (!isTestRequest(bodyKind, { body: body ?? '', query: upload.query })) return;
  throw new EarlyReply(json(200, uploadBody(upload.requestId, accountNumber, orgId)));
}

/** Organizations that may not upload at all. Source: ingress.md A.4.7. */
function refuseDeniedOrganization(principal: Principal, deniedOrgIds: readonly string[]): void {
  if (!deniedOrgIds.includes(principal.orgId)) return;
  throw new EarlyReply(text(403, 'Upload denied. Please contact Red Hat Support.', 'ORGANIZATION_DENIED'));
}

/** Which kind of body could hold the word of a test; a JSON type with a charset is none, as in the reference. Source: ingress.md A.4.1. */
export function testBodyKind(contentType: string | undefined): 'urlencoded' | 'json' | 'none' {
  if (contentType === 'application/json') return 'json';
  const mediaType = contentType?.split(';', 1)[0]?.trim().toLowerCase();
  return mediaType === 'application/x-www-form-urlencoded' ? 'urlencoded' : 'none';
}

/** Whether a request only wants to know if uploading would work. The first value wins, and those of the body come before those of the URL. */
export function isTestRequest(
  bodyKind: ReturnType<typeof testBodyKind>,
  { body, query }: { readonly body: string; readonly query: string },
): boolean {
  if (bodyKind === 'json' && /\{\s*"test"\s*:\s*"test"\s*\}/.test(body)) return true;
  const inBody = bodyKind === 'urlencoded' ? new URLSearchParams(body).get('test') : null;
  return (inBody ?? new URLSearchParams(query).get('test')) === 'test';
}
