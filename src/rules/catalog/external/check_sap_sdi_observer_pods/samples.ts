/** Clusters with SAP Data Intelligence whose observer runs, fails or is missing. */

import { chain, type Edit, type RuleSamples, withFile, withoutFiles } from '../../sample.ts';
import { sapMachineConfigFile, withDataIntelligence } from '../../sap-data-intelligence.ts';
import { checkSapSdiObserverPods } from './rule.ts';

const pod = (namespace: string, name: string): Edit =>
  withFile(`config/pod/${namespace}/${name}.json`, { metadata: { name, namespace }, status: { phase: 'Failed' } });

export const samples: RuleSamples = {
  rule: checkSapSdiObserverPods,
  fires: {
    SAP_SDI_OBSERVER_POD_ERROR: [
      {
        title: 'an observer that fails',
        edit: chain(withDataIntelligence, pod('sdi-observer', 'sdi-observer-1-x7k2p')),
        details: { sdi_observer_pods: 0, failing: ['sdi-observer/sdi-observer-1-x7k2p'] },
      },
      {
        title: 'nodes that no observer has prepared',
        edit: chain(withDataIntelligence, withoutFiles(sapMachineConfigFile)),
        details: { sdi_observer_pods: 0, failing: [] },
      },
    ],
  },
  silent: [
    { title: 'an observer that has done its work', edit: withDataIntelligence },
    { title: 'another pod that fails', edit: chain(withDataIntelligence, pod('sdi', 'vsystem-867f4b77cc-pqcns')) },
    {
      title: 'a file that only looks like the pod',
      edit: chain(withDataIntelligence, withFile('config/pod/sdi/logs/sdi-observer-1.json', {})),
    },
  ],
};
