/** Clusters with SAP Data Intelligence on nodes with and without the kernel modules that it needs. */

import { chain, type Edit, type RuleSamples, withFile, withoutFiles } from '../../sample.ts';
import { sapMachineConfigFile, withDataIntelligence } from '../../sap-data-intelligence.ts';
import { checkSdiPreloadKernelModules } from './rule.ts';

const complaint = "     iptables v1.6.2: can't initialize iptables table `nat': Permission denied\n";
const pod = 'license-manager-da1d2e8f-4hjh7';
const log = (namespace: string, text: string, file = 'errors.log'): Edit =>
  withFile(`config/pod/${namespace}/logs/${pod}/${file}`, text);
const unprepared = chain(withDataIntelligence, withoutFiles(sapMachineConfigFile));

export const samples: RuleSamples = {
  rule: checkSdiPreloadKernelModules,
  fires: {
    SDI_PRELOAD_KERNEL_MODULES_ERROR: [
      {
        title: 'a pod that cannot use iptables',
        edit: chain(unprepared, log('sdi', complaint)),
        details: { pods: [`sdi/${pod}`] },
        also: ['SAP_SDI_OBSERVER_POD_ERROR'],
      },
      {
        title: 'the complaint at the end of a long log, told once',
        edit: chain(unprepared, log('sdi', `${'all is well\n'.repeat(20_000)}${complaint}${complaint}`)),
        details: { pods: [`sdi/${pod}`] },
      },
    ],
  },
  silent: [
    { title: 'a cluster that lacks nothing', edit: withDataIntelligence },
    {
      title: 'an old complaint on nodes that are prepared by now',
      edit: chain(withDataIntelligence, log('sdi', complaint)),
    },
    { title: 'a log that says something else', edit: chain(unprepared, log('sdi', 'no licence')) },
    { title: 'an empty log', edit: chain(unprepared, log('sdi', '')) },
    { title: 'the same of another product', edit: chain(unprepared, log('istio', complaint)) },
    { title: 'a file that is no filtered log', edit: chain(unprepared, log('sdi', complaint, 'notes.txt')) },
  ],
};
