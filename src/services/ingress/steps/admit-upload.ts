/**
 * Whether there is room for one more upload: decided before its form is read. The operator takes 503 for a reason to try again later.
 * Source: ingress.md A.13.
 */
import { CcxError } from '../../../encoding/ccx-error.ts';
import { retryAfterSeconds } from '../limits.ts';
import { type IncomingUpload, next, type Principal, reply, type StepResult } from '../upload.ts';
import type { UploadSlots } from '../upload-slots.ts';
import { type Reply, text, unavailable } from '../web/reply.ts';

/** The function in the answer gives the room back. */
export async function admitUpload(
  upload: IncomingUpload,
  principal: Principal,
  { slots, isOutboxFull }: { readonly slots: UploadSlots; readonly isOutboxFull: () => boolean },
): Promise<StepResult<() => void>> {
  // Where the announcement could neither be sent nor kept, storing the archive would be of no use.
  if (isOutboxFull()) {
    return reply(unavailable(retryAfterSeconds, 'the message bus is away, try again later', 'OUTBOX_FULL'));
  }
  try {
    return next(await slots.admit(upload.body, principal.orgId));
  } catch (error) {
    const answer = bodyFailure(error);
    if (answer === undefined) throw error;
    return reply(answer);
  }
}

/** What a client is told whose body cannot be read to its end; undefined for what is no fault of a body. */
export function bodyFailure(error: unknown): Reply | undefined {
  if (error instanceof CcxError) {
    if (error.code === 'TOO_MANY_UPLOADS') {
      return unavailable(retryAfterSeconds, 'too many uploads at once, try again later', error.code);
    }
    if (error.code === 'BODY_TOO_SLOW') return text(408, 'The upload came too slowly', error.code);
    return fileNotFound(error.code);
  }
  if (codeOf(error) === 'ERR_HTTP_REQUEST_TIMEOUT') return text(408, 'The upload came too slowly', 'BODY_TOO_SLOW');
  // Who went away hears nothing of it; the log and the metrics do.
  return /^(ECONN|EPIPE|ERR_STREAM|HPE_)/.test(codeOf(error)) ? fileNotFound('CLIENT_GONE') : undefined;
}

export function fileNotFound(code = 'FORM_INVALID'): Reply {
  return text(400, 'File or upload field not found', code);
}

/** What Node says of a request whose connection has ended, or whose body is no HTTP any more. */
function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
