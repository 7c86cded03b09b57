/** Clusters with few and with very many install plans. */
import type { JsonValue } from '../../../../encoding/json-text.ts';
import { type Edit, type RuleSamples, withFile } from '../../sample.ts';
import { libBucketProvisionerCheck } from './rule.ts';

const csv = 'lib-bucket-provisioner.v2.0.0';
const ns = 'openshift-storage';
const plans = (...items: readonly JsonValue[]): Edit =>
  withFile('config/installplans.json', {
    items,
    stats: { TOTAL_COUNT: items.length, TOTAL_NONUNIQ_COUNT: items.length },
  });
const plan = (count: JsonValue, changes: { readonly [member: string]: JsonValue } = {}) => ({
  ns,
  name: 'install-',
  csv,
  count,
  ...changes,
});

export const samples: RuleSamples = {
  rule: libBucketProvisionerCheck,
  fires: {
    LIB_BUCKET_PROVISIONER_INSTALL_PLANS_ISSUE: [
      {
        title: 'thousands of plans',
        edit: plans(plan(4_318), plan(1, { csv: 'ocs-operator.v4.8.0' })),
        details: { info: [{ ns, csv, count: 4_318 }] },
      },
      {
        title: 'one plan more than it lets pass, in each of two namespaces',
        edit: plans(plan(11), plan(12, { ns: 'openshift-operators' })),
        details: {
          info: [
            { ns, csv, count: 11 },
            { ns: 'openshift-operators', csv, count: 12 },
          ],
        },
      },
      {
        title: 'many plans beside entries of another shape',
        edit: plans(null, 'x', plan('4000'), plan(50, { ns: 7 }), plan(50, { csv: null }), plan(50)),
        details: { info: [{ ns, csv, count: 50 }] },
      },
    ],
  },
  silent: [
    { title: 'as many plans as it lets pass', edit: plans(plan(10)) },
    { title: 'many plans of another operator', edit: plans(plan(4_318, { csv: 'ocs-operator.v4.8.0' })) },
    {
      title: 'a cluster without plans',
      edit: withFile('config/installplans.json', { items: null, stats: { TOTAL_COUNT: 0, TOTAL_NONUNIQ_COUNT: 0 } }),
    },
    { title: 'items that are no list', edit: withFile('config/installplans.json', { items: { '0': plan(50) } }) },
  ],
};
