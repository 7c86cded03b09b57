/**
 * Whether there is room for one more upload: decided before its form is read. The operator takes 503 for a reason to try again later.
 * Source: ingress.md A.13.
 */
import { CcxError } from '../../../encoding/ccx-error.ts';
import type { Principal } from '../../../platform/auth/authenticator.ts';
import { EarlyReply, type Reply, text, unavailable } from '../reply.ts';
import type { IncomingUpload } from '../upload.ts';
import type { UploadDependencies } from '../upload-dependencies.ts';

/** The function that it resolves to gives the room back. */
export async function admitUpload(
  upload: IncomingUpload,
  principal: Principal,
  { slots, announcer }: UploadDependencies,
): Promise<() => void> {
  // Where the announcement could neither be sent nor kept, storing the archive would be of no use.
  if (announcer.isFull()) {
    throw new EarlyReply(unavailable('the message bus is away, try again later', 'OUTBOX_FULL'));
  }
  try {
    return await slots.admit(upload.body, principal.orgId);
  } catch (error) {
    throw bodyFailure(error);
  }
}

/** The answer to a client whose body cannot be read to its end; what is no fault of a body stays what it is. */
export function bodyFailure(error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'TOO_MANY_UPLOADS')
    return new EarlyReply(unavailable('too many uploads at once, try again later', code));
  if (code === 'BODY_TOO_SLOW' || code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return new EarlyReply(text(408, 'The upload came too slowly', 'BODY_TOO_SLOW'));
  if (error instanceof CcxError) return new EarlyReply(fileNotFound(code));
  // Who went away hears nothing of it; the log and the metrics do.
  return /^(ECONN|EPIPE|ERR_STREAM|HPE_)/.test(code) ? new EarlyReply(fileNotFound('CLIENT_GONE')) : error;
}

export function fileNotFound(code = 'FORM_INVALID'): Reply {
  return text(400, 'File or upload field not found', code);
}
