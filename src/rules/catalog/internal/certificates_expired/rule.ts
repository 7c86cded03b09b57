/** A certificate of an ingress controller had expired when the archive was gathered. Source: data-pipeline.md 7.5 (generic checks); the error key is ours. */
import { timeOf } from '../../../engine/archive-time.ts';
import { defineRule, makeFail, makeNone } from '../../../engine/rule.ts';

export const certificatesExpired = defineRule({
  module: 'ccx_rules_ocp.internal.rules.certificates_expired',
  errorKeys: ['CERTIFICATES_EXPIRED'],
  requires: ['ingressCertificates'],
  evaluate({ ingressCertificates }, { now }) {
    const certificates = ingressCertificates
      .filter(({ notAfter }) => (timeOf(notAfter) ?? Number.POSITIVE_INFINITY) < now.getTime())
      .map(({ name, namespace, notAfter, controllers }) => ({ name, namespace, not_after: notAfter, controllers }));
    return certificates.length === 0 ? makeNone() : makeFail('CERTIFICATES_EXPIRED', { certificates });
  },
});
