/** Clusters on vSphere and elsewhere whose storage operator is well, lacks rights and has other trouble. */
import { chain, type Edit, type RuleSamples, withCondition, withValue } from '../../sample.ts';
import { csoDegradedDueToMissingPrivilege } from './rule.ts';

const operator = 'config/clusteroperator/storage.json';
const platform = (type: string): Edit =>
  withValue('config/infrastructure.json', ['status', 'platformStatus', 'type'], type);
const degraded = (message: unknown, status = 'True'): Edit =>
  withCondition(operator, {
    type: 'Degraded',
    status,
    lastTransitionTime: '2026-11-20T08:00:00Z',
    reason: 'VSphereCSIDriverOperatorCR_WebhookController_Error',
    message: message as string,
  });
const message =
  'VSphereCSIDriverOperatorCRDegraded: missing privileges for datastore nfs-1: Datastore.FileManagement, Datastore.AllocateSpace';

export const samples: RuleSamples = {
  rule: csoDegradedDueToMissingPrivilege,
  fires: {
    CSO_DEGRADED_DUE_TO_MISSING_PRIVILIGES: [
      {
        title: 'an account without rights on a datastore',
        edit: chain(platform('VSphere'), degraded(message)),
        also: ['OPERATOR_ISSUE'],
        settles: ['platform'],
      },
      {
        title: 'the fault of vCenter itself, in a message that is far too long',
        edit: chain(platform('VSphere'), degraded(`ServerFaultCode: NoPermission ${'x'.repeat(30_000)}`)),
      },
    ],
  },
  silent: [
    { title: 'another trouble on vSphere', edit: chain(platform('VSphere'), degraded('disk is full')) },
    { title: 'the same words on another platform', edit: chain(platform('AWS'), degraded(message)) },
    { title: 'the same words of the past', edit: chain(platform('VSphere'), degraded(message, 'False')) },
    { title: 'a message that is none', edit: chain(platform('VSphere'), degraded(['missing privileges'])) },
  ],
};
