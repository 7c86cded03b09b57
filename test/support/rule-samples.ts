/**
 * Turns a rule's samples into tests: every firing sample makes it fire exactly as told, every silent one leaves it silent, and without
 * any of the files that it needs it is skipped. Called by the catalog's tests.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../../src/encoding/json-text.ts';
import { createManualClock } from '../../src/platform/clock/manual-clock.ts';
import { healthyCluster } from '../../src/rules/catalog/healthy-cluster.ts';
import {
  type RuleSamples,
  type Sample,
  type SampleFiles,
  toArchiveFiles,
  withoutFiles,
} from '../../src/rules/catalog/sample.ts';
import { type Evaluation, evaluateArchive } from '../../src/rules/engine/evaluate-archive.ts';
import type { FactName } from '../../src/rules/engine/facts.ts';
import type { Rule } from '../../src/rules/engine/rule.ts';

/** When sample archives are gathered unless a sample says otherwise. */
export const SAMPLE_NOW = new Date('2026-11-21T16:00:00Z');
export const SAMPLE_CLUSTER_ID = '5d5892d3-1f74-4ccf-91af-548dfc9767aa';

/** Files and folders that each fact is read from. */
const factPaths: Readonly<Record<FactName, readonly string[]>> = {
  alerts: ['config/alerts.json'],
  cephClusters: ['config/storage'],
  clusterOperators: ['config/clusteroperator'],
  clusterRoles: ['cluster-scoped-resources'],
  clusterVersion: ['config/version.json'],
  blockingBudgets: ['config/pdbs'],
  etcdSlowApplies: ['config/metrics'],
  containerRuntimeConfigs: ['config/containerruntimeconfigs'],
  crashingPods: ['config/pod'],
  imageRegistry: ['config/clusteroperator/imageregistry.operator.openshift.io'],
  infrastructure: ['config/infrastructure.json'],
  insightsConfig: ['config/secrets', 'config/configmaps/openshift-insights'],
  installPlans: ['config/installplans.json'],
  ingressCertificates: ['aggregated/ingress_controllers_certs.json'],
  machineConfigPools: ['config/machineconfigpools'],
  machineConfigs: ['config/machineconfigs'],
  machineSets: ['machinesets'],
  network: ['config/network.json'],
  nodes: ['config/node'],
  unmanagedResources: ['config/clusteroperator'],
  persistentVolumes: ['config/persistentvolumes'],
  podSecurityPolicies: ['config/psp_names.json'],
  prometheusComplaints: ['namespaces/openshift-monitoring', 'config/pod', 'conditional'],
  prometheusStorage: ['config/configmaps/openshift-monitoring', 'insights-operator/gathers.json'],
  proxy: ['config/proxy.json'],
  monitoringOperator: ['config/pod/openshift-monitoring'],
  netNamespaces: ['config/netnamespaces.json'],
  hostSubnets: ['config/hostsubnet'],
  routerServers: ['config/metrics'],
  sapDataHubs: ['customresources'],
  sapGrants: ['config/securitycontextconstraint'],
  sapPods: ['customresources'],
  vsphereDetector: ['events', 'config/pod'],
  vsphereMachines: ['config/machines'],
  versionStatus: ['config/version.json'],
  slowWebhooks: ['config/validatingwebhookconfigurations', 'config/mutatingwebhookconfigurations'],
};

/** The healthy cluster with a sample's edit. */
export function sampleFiles(sample: Pick<Sample, 'edit' | 'now'>): SampleFiles {
  return sample.edit(healthyCluster({ clusterId: SAMPLE_CLUSTER_ID, now: sampleNow(sample) }));
}

export function sampleNow(sample: Pick<Sample, 'now'>): Date {
  return sample.now === undefined ? SAMPLE_NOW : new Date(sample.now);
}

export function evaluateSample(rules: readonly Rule[], files: SampleFiles, now: Date): Evaluation {
  return evaluateArchive({ files: toArchiveFiles(files), rules, now, clock: createManualClock() });
}

export function testRuleSamples({ rule, fires, silent }: RuleSamples): void {
  const run = (sample: Sample) => {
    const { report, failures } = evaluateSample([rule], sampleFiles(sample), sampleNow(sample));
    assert.deepEqual(failures, []);
    assert.deepEqual(report.skips, []);
    return report.reports;
  };

  for (const [key, samples] of Object.entries(fires)) {
    for (const sample of samples) {
      test(`${key} fires on ${sample.title}`, () => {
        const hits = run(sample);
        assert.deepEqual(
          hits.map((hit) => hit.key),
          [key],
        );
        const { type, error_key, ...details } = hits[0]!.details;
        assert.deepEqual({ type, error_key }, { type: 'rule', error_key: key });
        if (sample.details !== undefined) assert.deepEqual(details, sample.details satisfies JsonObject);
      });
    }
  }

  for (const sample of silent) {
    test(`says nothing about ${sample.title}`, () => assert.deepEqual(run(sample), []));
  }

  for (const needed of [...rule.requires.map((fact) => [fact]), ...rule.requiresAny]) {
    test(`is skipped without ${needed.join(' and ')}`, () => {
      const edit = withoutFiles(...needed.flatMap((fact) => factPaths[fact]));
      const { report, failures } = evaluateSample([rule], sampleFiles({ edit }), SAMPLE_NOW);
      assert.deepEqual(failures, []);
      assert.deepEqual(report.reports, []);
      assert.equal(report.skips.length, 1);
      assert.equal(report.skips[0]?.rule_fqdn, `${rule.module}.report`);
      for (const fact of needed) assert.ok(report.skips[0]?.details.includes(`'${fact}'`));
    });
  }
}
