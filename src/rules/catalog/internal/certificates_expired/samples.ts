/** Clusters whose ingress certificates are good, or have expired. */
import type { JsonValue } from '../../../../encoding/json-text.ts';
import { ingressCertificate } from '../../healthy-cluster.ts';
import { type Edit, type RuleSamples, withElements, withFile } from '../../sample.ts';
import { certificatesExpired } from './rule.ts';

const path = 'aggregated/ingress_controllers_certs.json';
const also = (...certificates: readonly JsonValue[]): Edit => withElements(path, [], ...certificates);
const custom = (notAfter: string) => ingressCertificate('custom-certificate', 'openshift-ingress', notAfter);

export const samples: RuleSamples = {
  rule: certificatesExpired,
  fires: {
    CERTIFICATES_EXPIRED: [
      {
        title: 'a certificate that has expired',
        edit: also(custom('2019-11-20T22:20:58Z')),
        details: {
          certificates: [
            {
              name: 'custom-certificate',
              namespace: 'openshift-ingress',
              not_after: '2019-11-20T22:20:58Z',
              controllers: ['default'],
            },
          ],
        },
      },
      { title: 'the first second after its last', edit: also(custom('2026-11-21T15:59:59Z')) },
      {
        title: 'a certificate that nobody uses',
        edit: withFile(path, [
          { name: 'router-ca', namespace: 'openshift-ingress-operator', not_after: '2026-08-27T06:30:47Z' },
        ]),
        details: {
          certificates: [
            {
              name: 'router-ca',
              namespace: 'openshift-ingress-operator',
              not_after: '2026-08-27T06:30:47Z',
              controllers: [],
            },
          ],
        },
      },
    ],
  },
  silent: [
    { title: 'a certificate that is good', edit: (files) => files },
    { title: 'its last second', edit: also(custom('2026-11-21T16:00:00Z')) },
    { title: 'a cluster without certificates', edit: withFile(path, []) },
    {
      title: 'certificates that say no time, or are none',
      edit: also(
        custom(''),
        custom('in the past'),
        { name: 'a', not_after: 20191120 },
        { not_after: '2019-11-20T22:20:58Z' },
        7,
        null,
      ),
    },
  ],
};
