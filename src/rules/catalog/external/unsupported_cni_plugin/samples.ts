/** Clusters on supported, removed and unheard-of network plug-ins. */
import { chain, type Edit, type RuleSamples, withFile, withValue } from '../../sample.ts';
import { unsupportedCniPlugin } from './rule.ts';

const plugin = (name: string): Edit => withValue('config/network.json', ['spec', 'networkType'], name);
const version = (value: string): Edit =>
  withValue('config/version.json', ['status', 'history'], [{ state: 'Completed', version: value }]);

export const samples: RuleSamples = {
  rule: unsupportedCniPlugin,
  fires: {
    UNSUPPORTED_CNI_PLUGIN: [
      {
        title: 'a plug-in that nobody certified',
        edit: plugin('Flannel'),
        settles: ['network'],
        details: { cni: 'Flannel' },
      },
      {
        title: 'OpenShift SDN in a release without it',
        edit: chain(plugin('OpenShiftSDN'), version('4.17.0')),
        details: { cni: 'OpenShiftSDN' },
      },
      {
        title: 'Kuryr in a release without it',
        edit: chain(plugin('Kuryr'), version('4.15.0-ec.2')),
        details: { cni: 'Kuryr' },
      },
      {
        title: 'a name that is a member of every object',
        edit: plugin('constructor'),
        details: { cni: 'constructor' },
      },
      {
        title: 'a plug-in that only the status tells',
        edit: withFile('config/network.json', { status: { networkType: 'Weave' } }),
        details: { cni: 'Weave' },
      },
    ],
  },
  silent: [
    { title: 'the default plug-in', edit: plugin('OVNKubernetes') },
    { title: 'the default plug-in in other case', edit: plugin('ovnkubernetes') },
    { title: 'OpenShift SDN in the last release with it', edit: chain(plugin('OpenShiftSDN'), version('4.16.40')) },
    { title: 'Kuryr in the last release with it', edit: chain(plugin('Kuryr'), version('4.14.3')) },
    { title: "a certified partner's plug-in", edit: plugin('Calico') },
    { title: 'what hosted clusters say', edit: plugin('Other') },
  ],
};
