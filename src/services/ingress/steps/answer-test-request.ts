/**
 * A connectivity check is answered before anything else is looked at, even for a denied organization. What such a body is, is small: one
 * that is not read to its end here is none. Source: ingress.md A.4.1.
 */
import { isTestRequest, testBodyKind } from '../decide/test-request.ts';
import { type IncomingUpload, next, type Principal, reply, type StepResult } from '../upload.ts';
import { json, uploadBody } from '../web/reply.ts';

/** A connectivity check's whole body; a genuine one has 20 bytes. It is read before there is a slot for it. */
const testBodyBytesMax = 4 * 1024;

export async function answerTestRequest(upload: IncomingUpload, principal: Principal): Promise<StepResult<undefined>> {
  const bodyKind = testBodyKind(upload.contentType);
  const body = bodyKind === 'none' ? '' : await upload.body.text(testBodyBytesMax).catch(() => undefined);
  if (!isTestRequest({ bodyKind, body: body ?? '', query: upload.query })) return next(undefined);
  return reply(json(200, uploadBody(upload.requestId, principal.accountNumber, principal.orgId)));
}
