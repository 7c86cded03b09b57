/** What is done with one upload, in order: the order of the reference's checks, as far as a client can see it. Source: ingress.md A.1. */
import type { Announcer } from './announcer.ts';
import type { Authenticator } from './authenticator.ts';
import { formBoundary } from './multipart-reader.ts';
import { admitUpload, fileNotFound } from './steps/admit-upload.ts';
import { type AnnounceTools, announceUpload } from './steps/announce-upload.ts';
import { answerTestRequest } from './steps/answer-test-request.ts';
import { authenticateRequest } from './steps/authenticate-request.ts';
import { claimCluster } from './steps/claim-cluster.ts';
import { type FormTools, receiveForm } from './steps/receive-form.ts';
import { refuseDeniedOrganization } from './steps/refuse-denied-organization.ts';
import { type GuardTools, refuseForeignCluster } from './steps/refuse-foreign-cluster.ts';
import { storeArchive } from './steps/store-archive.ts';
import type { IncomingUpload, Principal } from './upload.ts';
import type { UploadSlots } from './upload-slots.ts';
import { json, type Reply, uploadBody } from './web/reply.ts';

export interface UploadTools extends FormTools, AnnounceTools, GuardTools {
  readonly authenticator: Authenticator;
  readonly announcer: Announcer;
  readonly deniedOrgIds: ReadonlySet<string>;
  readonly slots: UploadSlots;
}

export async function handleUpload(upload: IncomingUpload, tools: UploadTools): Promise<Reply> {
  const { events } = tools;
  const refuse = (answer: Reply, principal?: Principal): Reply => {
    if (answer.status < 300) events.testAnswered(upload);
    else events.uploadRefused(upload, principal, answer);
    return answer;
  };

  const authenticated = authenticateRequest(upload, tools.authenticator);
  if (authenticated.kind === 'reply') return refuse(authenticated.reply);
  const principal = authenticated.value;

  const tested = await answerTestRequest(upload, principal);
  if (tested.kind === 'reply') return refuse(tested.reply, principal);

  const allowed = refuseDeniedOrganization(principal, tools.deniedOrgIds);
  if (allowed.kind === 'reply') return refuse(allowed.reply, principal);
  const owned = await refuseForeignCluster(upload, principal, tools);
  if (owned.kind === 'reply') return refuse(owned.reply, principal);
  events.uploadBegun(upload);

  // What is no form needs no room.
  const boundary = formBoundary(upload.contentType);
  if (boundary === undefined) return refuse(fileNotFound(), principal);
  const admitted = await admitUpload(upload, principal, {
    slots: tools.slots,
    isOutboxFull: () => tools.announcer.isFull(),
  });
  if (admitted.kind === 'reply') return refuse(admitted.reply, principal);
  try {
    const received = await receiveForm(upload, principal, { ...tools, boundary });
    if (received.kind === 'reply') return refuse(received.reply, principal);
    const form = received.value;
    const claimed = await claimCluster(upload, { principal, form, decision: owned.value }, tools);
    if (claimed.kind === 'reply') return refuse(claimed.reply, principal);
    events.uploadValidated(upload, principal, form);

    const stored = await storeArchive(upload, { principal, form }, tools);
    if (stored.kind === 'reply') return refuse(stored.reply, principal);
    events.archiveStored(upload, principal, stored.value);

    const announced = await announceUpload(upload, { principal, form }, tools);
    if (announced.kind === 'reply') return refuse(announced.reply, principal);
    if (announced.value === 'sent') events.uploadAnnounced(upload, principal, form);
    else events.uploadKept(upload, principal, form);

    // The one success of its own number: what insights-client looks for.
    const status = form.type.service === 'advisor' && !form.hasMetadata ? 201 : 202;
    return json(status, uploadBody(upload.requestId, principal.accountNumber, principal.orgId));
  } finally {
    admitted.value();
  }
}
