/** What the samples of the rules about SAP Data Intelligence have in common: a cluster on which an installation of it lacks nothing. */
import type { JsonObject } from '../../encoding/json-text.ts';
import type { Edit } from './sample.ts';

export const dataHubFile = 'customresources/installers.datahub.sap.com/datahubs/sdi/default.json';
export const sapMachineConfigFile = 'config/machineconfigs/75-worker-sap-data-intelligence.json';
export const anyuidFile = 'config/securitycontextconstraint/anyuid.json';
export const privilegedFile = 'config/securitycontextconstraint/privileged.json';
export const anyuidBindingFile = 'config/clusterrolebinding/system_openshift_scc_anyuid.json';
export const privilegedBindingFile = 'config/clusterrolebinding/system_openshift_scc_privileged.json';

/** Leaves a cluster that has an installation as it is, so that several faults of one can be had at once. */
export const withDataIntelligence: Edit = (files) =>
  Object.hasOwn(files, dataHubFile)
    ? files
    : {
        ...files,
        [dataHubFile]: {
          metadata: { name: 'default', namespace: 'sdi' },
          spec: { backupCronSchedule: '0 0 * * *', backupRetentionPeriod: 1_296_000 },
        },
        [sapMachineConfigFile]: { metadata: { name: '75-worker-sap-data-intelligence' }, spec: {} },
        [anyuidFile]: constraint('anyuid', ['system:cluster-admins']),
        [privilegedFile]: constraint('privileged', ['system:cluster-admins', 'system:nodes', 'system:masters']),
        [anyuidBindingFile]: {
          metadata: { name: 'system:openshift:scc:anyuid' },
          userNames: null,
          groupNames: ['system:serviceaccounts:sdi'],
          subjects: [{ kind: 'SystemGroup', name: 'system:serviceaccounts:sdi' }],
          roleRef: { name: 'system:openshift:scc:anyuid' },
        },
        [privilegedBindingFile]: {
          metadata: { name: 'system:openshift:scc:privileged' },
          userNames: ['system:serviceaccount:sdi:default'],
          groupNames: null,
          subjects: [{ kind: 'ServiceAccount', namespace: 'sdi', name: 'default' }],
          roleRef: { name: 'system:openshift:scc:privileged' },
        },
      };

function constraint(name: string, groups: readonly string[]): JsonObject {
  return { metadata: { name }, priority: null, users: ['system:admin'], groups };
}
