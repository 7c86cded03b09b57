/** Who uploads: from the identity header, or from a token when the gateway is on. Source: ingress.md A.3.2, C.2. */
import type { Authenticator } from '../authenticator.ts';
import type { IncomingUpload, Principal, StepResult } from '../upload.ts';

export function authenticateRequest(upload: IncomingUpload, authenticator: Authenticator): StepResult<Principal> {
  return authenticator.authenticate(upload);
}
