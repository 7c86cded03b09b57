/** Organizations that may not upload at all. Source: ingress.md A.4.7. */
import { next, type Principal, reply, type StepResult } from '../upload.ts';
import { text } from '../web/reply.ts';

export function refuseDeniedOrganization(
  principal: Principal,
  deniedOrgIds: ReadonlySet<string>,
): StepResult<undefined> {
  if (!deniedOrgIds.has(principal.orgId)) return next(undefined);
  return reply(text(403, 'Upload denied. Please contact Red Hat Support.', 'ORGANIZATION_DENIED'));
}
