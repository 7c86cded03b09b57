/** Clusters on which SAP Data Intelligence may, and may not, use what its pods need. */

import { chain, type Edit, type RuleSamples, withElements, withFile, withoutFiles, withValue } from '../../sample.ts';
import {
  anyuidBindingFile,
  anyuidFile,
  privilegedBindingFile,
  privilegedFile,
  withDataIntelligence,
} from '../../sap-data-intelligence.ts';
import { sapDataIntelligencePermissions } from './rule.ts';

const withoutBindings = chain(withDataIntelligence, withoutFiles(anyuidBindingFile, privilegedBindingFile));
const inConstraint = (path: string, list: string, name: string): Edit => withElements(path, [list], name);

export const samples: RuleSamples = {
  rule: sapDataIntelligencePermissions,
  fires: {
    SAP_DATA_INTELLIGENCE_PERMISSIONS: [
      {
        title: 'an installation that nothing was granted to',
        edit: withoutBindings,
        details: { sdi_namespaces: ['sdi'], missing: ['sdi: anyuid', 'sdi: privileged'] },
      },
      {
        title: 'one constraint that was forgotten',
        edit: chain(withDataIntelligence, withoutFiles(privilegedBindingFile)),
        details: { sdi_namespaces: ['sdi'], missing: ['sdi: privileged'] },
      },
      {
        title: 'a second installation beside one that lacks nothing',
        edit: chain(
          withDataIntelligence,
          withFile('customresources/installers.datahub.sap.com/datahubs/di-2/default.json', {
            metadata: { name: 'default' },
          }),
        ),
        details: { sdi_namespaces: ['di-2'], missing: ['di-2: anyuid', 'di-2: privileged'] },
      },
      {
        title: 'a grant to a namespace whose name only begins like it',
        edit: chain(
          withoutBindings,
          inConstraint(anyuidFile, 'groups', 'system:serviceaccounts:sdi-observer'),
          inConstraint(privilegedFile, 'users', 'system:serviceaccount:sdi-observer:default'),
        ),
        details: { sdi_namespaces: ['sdi'], missing: ['sdi: anyuid', 'sdi: privileged'] },
      },
      {
        title: 'lists of another shape',
        edit: chain(
          withoutBindings,
          withValue(anyuidFile, ['users'], [null, 7, { name: 'system:serviceaccounts:sdi' }]),
          withValue(anyuidFile, ['groups'], 'system:serviceaccounts:sdi'),
          withFile(anyuidBindingFile, { subjects: ['system:serviceaccounts:sdi', { name: 7 }], userNames: {} }),
        ),
        details: { sdi_namespaces: ['sdi'], missing: ['sdi: anyuid', 'sdi: privileged'] },
      },
    ],
  },
  silent: [
    { title: 'grants by cluster role bindings', edit: withDataIntelligence },
    {
      title: 'grants in the constraints themselves',
      edit: chain(
        withoutBindings,
        inConstraint(anyuidFile, 'groups', 'system:serviceaccounts:sdi'),
        inConstraint(privilegedFile, 'users', 'system:serviceaccount:sdi:vora-vsystem-sdi'),
      ),
    },
    {
      title: 'a binding in the form of Kubernetes',
      edit: chain(
        withDataIntelligence,
        withFile(privilegedBindingFile, { subjects: [{ kind: 'ServiceAccount', namespace: 'sdi', name: 'default' }] }),
        withFile(anyuidBindingFile, { subjects: [{ kind: 'Group', name: 'system:serviceaccounts:sdi' }] }),
      ),
    },
    {
      title: 'a constraint that was not gathered',
      edit: chain(withDataIntelligence, withoutFiles(privilegedBindingFile, privilegedFile)),
    },
  ],
};
