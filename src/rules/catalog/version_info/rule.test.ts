/** The item that tells the results aggregator the cluster's version. Source: data-pipeline.md 4.5. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { evaluateSample, SAMPLE_NOW, sampleFiles } from '../../../../test/support/rule-samples.ts';
import { withoutFiles, withValue } from '../sample.ts';
import { versionInfo } from './rule.ts';

test('the current version is told as text, under the names that the aggregator looks for', () => {
  const edit = withValue('config/version.json', ['status', 'history'], [{ state: 'Completed', version: '4.17.3' }]);
  assert.deepEqual(evaluateSample([versionInfo], sampleFiles({ edit }), SAMPLE_NOW).report.info, [
    {
      info_id: 'version_info|CLUSTER_VERSION_INFO',
      component: 'ccx_rules_processing.version_info.report',
      type: 'info',
      key: 'CLUSTER_VERSION_INFO',
      details: { version: '4.17.3', type: 'info', info_key: 'CLUSTER_VERSION_INFO' },
      tags: [],
      links: {},
    },
  ]);
});

test('without a version nothing is told', () => {
  const files = sampleFiles({ edit: withoutFiles('config/version.json') });
  const { report } = evaluateSample([versionInfo], files, SAMPLE_NOW);
  assert.deepEqual(report.info, []);
  assert.equal(report.skips.length, 1);
});
