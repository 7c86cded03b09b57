/** Clusters with quick and slow admission webhooks. */
import { sampleWebhook } from '../../healthy-cluster.ts';
import { chain, type Edit, type RuleSamples, withFile, withValue } from '../../sample.ts';
import { webhookTimeoutIsLargerThanDefault } from './rule.ts';

type Kind = 'validating' | 'mutating';
const path = (kind: Kind, name: string) => `config/${kind}webhookconfigurations/${name}.json`;
const webhook = (kind: Kind, name: string, namespace: string, timeoutSeconds: number): Edit =>
  withFile(path(kind, name), sampleWebhook(name, namespace, timeoutSeconds));
const calling = (name: string, timeoutSeconds: number): Edit =>
  withFile(path('validating', name), {
    metadata: { name },
    webhooks: [{ name: `check.${name}`, clientConfig: { url: 'https://127.0.0.1:9743/node' }, timeoutSeconds }],
  });

export const samples: RuleSamples = {
  rule: webhookTimeoutIsLargerThanDefault,
  fires: {
    WEBHOOK_TIMEOUT_IS_LARGER_THAN_DEFAULT: [
      {
        title: 'a webhook that may take half a minute',
        edit: webhook('validating', 'policy-controller', 'policy-system', 30),
        details: { webhooks: [{ name: 'policy-controller', webhook: 'check.policy-controller', timeoutSeconds: 30 }] },
      },
      {
        title: 'one second more than tolerated, of both kinds, in order of name',
        edit: chain(webhook('validating', 'b', 'team-b', 14), webhook('mutating', 'a', 'team-a', 14)),
        details: {
          webhooks: [
            { name: 'a', webhook: 'check.a', timeoutSeconds: 14 },
            { name: 'b', webhook: 'check.b', timeoutSeconds: 14 },
          ],
        },
      },
      {
        title: 'a webhook that is called by address',
        edit: calling('home-made', 20),
        details: { webhooks: [{ name: 'home-made', webhook: 'check.home-made', timeoutSeconds: 20 }] },
      },
    ],
  },
  silent: [
    { title: 'the longest that is tolerated', edit: webhook('mutating', 'sidecars', 'mesh', 13) },
    { title: 'a webhook of the platform', edit: webhook('validating', 'multus', 'openshift-multus', 30) },
    {
      title: 'a webhook of the platform that is called by address',
      edit: calling('network-node-identity.openshift.io', 30),
    },
    {
      title: 'a webhook without a timeout, which has the default',
      edit: chain(
        webhook('validating', 'plain', 'team', 30),
        withValue(
          path('validating', 'plain'),
          ['webhooks'],
          [{ name: 'w', clientConfig: { service: { namespace: 'team' } } }],
        ),
      ),
    },
  ],
};
