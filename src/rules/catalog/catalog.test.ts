/**
 * The catalog as a whole: rules, texts and samples belong together, texts say what they must and render with what the rules say.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse as parseYaml } from 'yaml';
import {
  evaluateSample,
  SAMPLE_CLUSTER_ID,
  SAMPLE_NOW,
  sampleFiles,
  sampleNow,
} from '../../../test/support/rule-samples.ts';
import { type RuleHit, SKIP_MISSING_REQUIREMENTS, type SkipItem } from '../../contracts/report.ts';
import { totalRisk } from '../../contracts/rule-content.ts';
import { createTemplateCompiler } from '../content/compile-template.ts';
import { loadContent } from '../content/load-content.ts';
import { renderReport } from '../content/render-report.ts';
import type { FactName } from '../engine/facts.ts';
import { RULES_VERSION, selectRules } from '../engine/rule.ts';
import { CATALOG_CONTENT_ROOT } from './content-root.ts';
import { healthyCluster } from './healthy-cluster.ts';
import { allRules } from './index-of-rules.ts';
import { allSamples } from './index-of-samples.ts';
import { machinePoolCheck } from './internal/machine_pool_check/rule.ts';
import { chain, type Edit, withFile, withoutFiles } from './sample.ts';

const { directory, status } = await loadContent(CATALOG_CONTENT_ROOT);
const rulesWithTexts = allRules.filter((rule) => rule.errorKeys.length > 0);
/** The tutorial's finding is on every cluster where it runs, and the others are looked at without it. */
const rulesOfFaults = selectRules(allRules, { provisional: true, tutorial: false });
const shortName = (module: string) => module.slice(module.lastIndexOf('.') + 1);
const keysOf = (value: object) => Object.keys(value).sort();

test('every rule folder is well formed', () => {
  assert.deepEqual(
    Object.entries(status).filter(([, state]) => !state.loaded),
    [],
  );
});

test('every rule has texts for each of its error keys, and every text has a rule', () => {
  assert.deepEqual(keysOf(directory.rules), rulesWithTexts.map((rule) => shortName(rule.module)).sort());
  for (const rule of rulesWithTexts) {
    const content = directory.rules[shortName(rule.module)]!;
    assert.deepEqual(keysOf(content.error_keys), [...rule.errorKeys].sort(), rule.module);
    assert.equal(content.plugin.python_module, rule.module);
  }
});

test('the folder of a rule tells whether it is internal', () => {
  for (const rule of rulesWithTexts) {
    // There are more families than these two, such as `ocs`; owners see only what is external.
    const type = rule.module.split('.')[1] === 'external' ? 'external' : 'internal';
    assert.equal(status[shortName(rule.module)]?.type, type, rule.module);
  }
});

test('every rule that finds fault has samples, and they are listed in the same order', () => {
  assert.deepEqual(
    allSamples.map((samples) => samples.rule.module),
    rulesWithTexts.map((rule) => rule.module),
  );
  for (const { rule, fires, silent } of allSamples) {
    assert.deepEqual(keysOf(fires), [...rule.errorKeys].sort(), rule.module);
    assert.ok(silent.length > 0 || rule.mark === 'tutorial', rule.module);
  }
});

test('no two rules share a module, a short name or an error key', () => {
  for (const values of [
    allRules.map((rule) => rule.module),
    allRules.map((rule) => shortName(rule.module)),
    allRules.flatMap((rule) => rule.errorKeys),
  ]) {
    assert.equal(new Set(values).size, values.length);
  }
});

/** By the numbers of data-pipeline.md 7.5; the checks below them have none. */
const specified: Readonly<Record<string, readonly string[]>> = {
  '1 to 5': [
    ...['nodes_requirements_check', 'nodes_kubelet_version_check', 'nodes_container_runtime_version_check'],
    ...['cluster_wide_proxy_auth_check', 'bug_1766907'],
  ],
  '6 to 10': [
    ...['bug_1821905', 'node_installer_degraded', 'samples_op_failed_image_import_check', 'operator_unmanaged'],
    'container_max_root_partition_size',
  ],
  '11 to 15': [
    ...['master_defined_as_machinesets', 'mcp_set_to_pause', 'control_plane_replicas'],
    ...['image_registry_multiple_storage_types', 'image_registry_storage'],
  ],
  '16 to 20': [
    ...['empty_prometheus_db_volume', 'prometheus_backed_by_pvc', 'prometheus_rule_evaluation_fail', 'psp_installed'],
    'vsphere_vm_disk_enableuuid_not_set_to_true',
  ],
  '21 to 25': [
    ...['vsphere_problem_detector_controller_syncerror', 'vsphere_upi_machine_is_in_phase'],
    ...['machineconfig_stuck_by_node_taints', 'lib_bucket_provisioner_check', 'check_sap_sdi_observer_pods'],
  ],
  '26 to 30': [
    ...['check_sdi_preload_kernel_modules', 'sap_data_intelligence_permissions', 'sap_sdi_backup_not_enabled'],
    ...['unsupported_cni_plugin', 'ocp_version_end_of_life', 'ocp_version_end_of_life_eus'],
  ],
  '31 to 35': [
    ...['same_egress_ip_in_multiple_netnamespaces', 'openshift_sdn_egress_ip_in_no_hostsubnet'],
    ...['openshift_sdn_egress_ip_in_multiple_hostsubnets', 'tls_handshake_fails_in_azure', 'azure_ssh_not_work'],
  ],
  '36 to 40': [
    ...['cmo_container_run_as_non_root', 'webhook_timeout_is_larger_than_default'],
    ...['haproxy_exporter_server_threshold_exceeded', 'io_415_change_config_location', 'okd_cluster_unsupported'],
  ],
  '41 to 43': [
    ...['cso_degraded_due_to_missing_privilege', 'config_build_strategy_incorrect'],
    ...['CVE_2021_30465_runc', 'CVE_2020_8555_kubernetes'],
  ],
  generic: [
    ...['pods_crash_loop', 'nodes_pressure_check', 'nodes_not_ready', 'operators_check', 'machine_pool_check'],
    ...['version_check', 'certificates_expired', 'high_severity_alerts', 'ceph_cluster_health'],
    ...['etcd_low_backend_performance', 'pdb_blocks_drain', 'tutorial_rule'],
  ],
};

test('the rules are those that the specification lists, and the one that only informs', () => {
  const names = [...Object.values(specified).flat(), 'version_info'];
  assert.deepEqual(allRules.map(({ module }) => shortName(module)).sort(), names.sort());
});

/** Likelihood and impact that the published rules have or are assumed to have. Source: data-pipeline.md 7.2. */
const agreedRisks: Readonly<Record<string, readonly [likelihood: number, impact: string, totalRisk: number]>> = {
  AUTH_OPERATOR_PROXY_ERROR: [2, 'Service Inoperation', 2],
  BUGZILLA_BUG_1766907: [2, 'OpenShift Upgrade Failure', 2],
  BUGZILLA_BUG_1821905: [4, 'OpenShift Upgrade Failure', 3],
  AZURE_SSH_NOT_WORK: [2, 'Management Availability', 2],
  CMO_CONTAINER_RUN_AS_NON_ROOT: [2, 'Container Creation Failure', 2],
  CVE_2020_8555_KUBERNETES: [2, 'Information Disclosure', 2],
  CVE_2021_30465_RUNC_VULN: [3, 'Privilege Escalation', 3],
  TLS_HANDSHAKE_FAILS_IN_AZURE: [3, 'Network Connectivity Loss', 3],
  CONFIG_BUILD_STRATEGY_INCORRECTLY: [3, 'Privilege Escalation', 3],
  CONTAINER_ROOT_PARTITION_SIZE: [2, 'Storage Excessive Consumption', 2],
  CONTROL_PLANE_NODE_REPLICAS: [3, 'Unsupported Functionality', 3],
  CSO_DEGRADED_DUE_TO_MISSING_PRIVILIGES: [4, 'Storage Driver Unavailable', 3],
  HAPROXY_EXPORTER_SERVER_THRESHOLD_EXCEEDED: [4, 'OpenShift Performance Loss', 3],
  IMAGE_REGISTRY_EMPTYDIR: [2, 'Inaccessible Storage', 2],
  IMAGE_REGISTRY_MULTIPLE_STORAGE_TYPES: [3, 'Service Inoperation', 2],
  IMAGE_REGISTRY_PVC_NOT_BOUND: [2, 'Inaccessible Storage', 2],
  IMAGE_REGISTRY_STORAGE_NOT_CONFIGURED: [2, 'Inaccessible Storage', 2],
  IO_415_CHANGE_CONFIG_LOCATION: [2, 'Invalid Configuration', 1],
  LIB_BUCKET_PROVISIONER_INSTALL_PLANS_ISSUE: [3, 'OpenShift Performance Loss', 2],
  MASTER_DEFINED_AS_MACHINESETS: [2, 'Unsupported Functionality', 2],
  MCP_SET_TO_PAUSE: [3, 'Unapplied Configuration', 2],
  NODES_CONTAINER_RUNTIME_VERSION: [2, 'Compatibility Error', 2],
  NODES_MINIMUM_REQUIREMENTS_NOT_MET: [3, 'System Performance Loss', 2],
  NODE_HAS_TAINTS_APPLIED: [2, 'Unapplied Configuration', 2],
  NODE_INSTALLER_DEGRADED: [4, 'Service Inoperation', 3],
  NODE_KUBELET_VERSION: [2, 'OpenShift Upgrade Failure', 2],
  OCP4X_BEYOND_EOL: [4, 'Product Supportability', 3],
  OCP4X_EOL_APPROACHING: [3, 'Product Supportability', 2],
  OCP4X_EUS_BEYOND_EOL: [3, 'Product Supportability', 2],
  OCP4X_EUS_EOL_APPROACHING: [3, 'Product Supportability', 2],
  OKD_CLUSTER_UNSUPPORTED: [2, 'Product Supportability', 2],
  OPENSHIFT_SDN_EGRESS_IP_IN_MULTIPLE_HOSTSUBNETS: [2, 'Network Connectivity Loss', 2],
  OPENSHIFT_SDN_EGRESS_IP_IN_NO_HOSTSUBNET: [3, 'Network Connectivity Loss', 3],
  OPERATOR_UNMANAGED: [2, 'Product Supportability', 2],
  PROMETHEUS_BACKED_BY_PVC: [2, 'OpenShift Upgrade Failure', 2],
  PROMETHEUS_DB_VOLUME_IS_EMPTY: [1, 'Data Loss', 2],
  PROMETHEUS_RULE_EVALUATION_FAIL: [2, 'Diagnostics Failure', 1],
  PSP_INSTALLED: [2, 'Compatibility Error', 2],
  SAME_EGRESS_IP_IN_MULTIPLE_NETNAMESPACES: [3, 'Network Connectivity Loss', 3],
  SAMPLES_FAILED_IMAGE_IMPORT_ERR: [2, 'Container Creation Failure', 2],
  SAP_DATA_INTELLIGENCE_PERMISSIONS: [3, 'Service Inoperation', 2],
  SAP_SDI_BACKUP_NOT_ENABLED: [2, 'Data Loss', 3],
  SAP_SDI_OBSERVER_POD_ERROR: [3, 'Service Inoperation', 2],
  SDI_PRELOAD_KERNEL_MODULES_ERROR: [3, 'Service Inoperation', 2],
  TUTORIAL_ERROR: [1, 'Statistics', 1],
  UNSUPPORTED_CNI_PLUGIN: [2, 'Unsupported Functionality', 2],
  VSPHERE_PROBLEM_DETECTOR_CONTROLLER_SYNCERROR: [3, 'Inaccessible Storage', 3],
  VSPHERE_UPI_MACHINE_WITH_NO_RUNNING_PHASE: [2, 'Invalid Configuration', 1],
  VSPHERE_VM_DISK_ENABLEUUID_NOT_SET_TO_TRUE: [3, 'Inaccessible Storage', 3],
  WEBHOOK_TIMEOUT_IS_LARGER_THAN_DEFAULT: [2, 'OpenShift Performance Loss', 2],
  // Not published.
  CEPH_CLUSTER_NOT_HEALTHY: [4, 'Storage Performance Loss', 3],
  CERTIFICATES_EXPIRED: [4, 'Application Not Connectable', 3],
  CLUSTER_VERSION_WORKING_TOWARDS: [4, 'OpenShift Upgrade Failure', 3],
  ETCD_LOW_BACKEND_PERFORMANCE: [3, 'OpenShift Performance Loss', 2],
  MACHINE_POOL_NOT_OK: [4, 'Unapplied Configuration', 3],
  NODES_NOT_READY: [4, 'Cluster Availability', 3],
  NODES_PRESSURE: [3, 'System Performance Loss', 2],
  PDB_BLOCKS_DRAIN: [3, 'OpenShift Upgrade Failure', 2],
  HIGH_SEVERITY_ALERTS: [4, 'Cluster Availability', 3],
  OPERATOR_ISSUE: [4, 'Service Inoperation', 3],
  PODS_CRASH_LOOP: [3, 'Service Crash', 2],
};

test('likelihood, impact and total risk of every error key are the agreed ones', () => {
  const risks = Object.values(directory.rules)
    .flatMap((rule) => Object.entries(rule.error_keys))
    .map(([key, { metadata }]) => {
      const risk = totalRisk(metadata.impact.impact, metadata.likelihood);
      return [key, [metadata.likelihood, metadata.impact.name, risk]] as const;
    });
  assert.deepEqual(Object.fromEntries(risks), agreedRisks);
});

test('metadata uses the names, the tags and the date format that the tables allow', async () => {
  const config = parseYaml(await readFile(join(CATALOG_CONTENT_ROOT, 'config.yaml'), 'utf8'));
  const groups: Readonly<Record<string, readonly string[]>> = config.tags;
  const known = new Set(Object.values(groups).flat());
  for (const [name, rule] of Object.entries(directory.rules)) {
    for (const [key, { metadata, resolution }] of Object.entries(rule.error_keys)) {
      assert.ok(metadata.resolution_risk > 0, `${key}: resolution_risk is not in the table`);
      assert.match(metadata.publish_date, /^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}$/, key);
      assert.equal(metadata.status, 'active', key);
      assert.ok(metadata.description.length <= 255, `${key}: the description is longer than a Service Log summary`);
      assert.ok(
        !metadata.description.includes('{{'),
        `${key}: the notification backend prints the description as it is`,
      );
      assert.deepEqual(
        metadata.tags.filter((tag) => !known.has(tag)),
        [],
        key,
      );
      assert.ok(resolution !== '', key);
      if (status[name]?.type === 'external' && name !== 'tutorial_rule') {
        assert.ok(
          metadata.tags.some((tag) => groups['impact_category']!.includes(tag)),
          `${key}: no impact category`,
        );
      }
    }
  }
});

test('texts that may not hold template code hold none', () => {
  for (const rule of Object.values(directory.rules)) {
    for (const [key, content] of Object.entries(rule.error_keys)) {
      assert.ok(!content.generic.includes('{{') && !content.summary.includes('{{'), key);
    }
  }
});

test('every folder below a rule is one of its error keys', async () => {
  for (const type of ['external', 'internal']) {
    for (const entry of await readdir(join(CATALOG_CONTENT_ROOT, type))) {
      const below = await readdir(join(CATALOG_CONTENT_ROOT, type, entry), { withFileTypes: true });
      const folders = below.filter((child) => child.isDirectory()).map((child) => child.name);
      assert.deepEqual(folders.sort(), keysOf(directory.rules[entry]?.error_keys ?? {}), entry);
    }
  }
});

const compile = createTemplateCompiler();

function rendered(hit: Pick<RuleHit, 'component' | 'key' | 'details'>) {
  const report = { component: hit.component, key: hit.key, details: JSON.stringify(hit.details) };
  const result = renderReport(Object.values(directory.rules), report, compile);
  assert.ok(result.kind === 'rendered', JSON.stringify(result));
  return result;
}

for (const { rule, fires } of allSamples) {
  for (const [key, samples] of Object.entries(fires)) {
    test(`the texts of ${key} render with whatever the rule says`, () => {
      for (const sample of samples) {
        const hits = evaluateSample([rule], sampleFiles(sample), sampleNow(sample)).report.reports;
        const { description, reason, resolution } = rendered(hits[0]!);
        const text = `${description}\n${reason}\n${resolution}`;
        for (const leftover of ['undefined', 'null', 'NaN', '[object', '{{', '}}\n']) {
          assert.ok(!text.includes(leftover), `${sample.title}: ${leftover} in\n${text}`);
        }
        assert.ok(Buffer.byteLength(text) < 4_000, 'longer than a Service Log description');
        for (const name of namesIn(hits[0]!.details))
          assert.ok(text.includes(name), `${sample.title}: ${name} is not told`);
      }
    });
  }
}

test('a finding too large for its details is told all the same', () => {
  const listing = [
    'CEPH_CLUSTER_NOT_HEALTHY',
    'CERTIFICATES_EXPIRED',
    'CMO_CONTAINER_RUN_AS_NON_ROOT',
    'CONFIG_BUILD_STRATEGY_INCORRECTLY',
    'CONTAINER_ROOT_PARTITION_SIZE',
    'ETCD_LOW_BACKEND_PERFORMANCE',
    'HIGH_SEVERITY_ALERTS',
    'LIB_BUCKET_PROVISIONER_INSTALL_PLANS_ISSUE',
    'MACHINE_POOL_NOT_OK',
    'MASTER_DEFINED_AS_MACHINESETS',
    'MCP_SET_TO_PAUSE',
    'NODES_CONTAINER_RUNTIME_VERSION',
    'NODES_MINIMUM_REQUIREMENTS_NOT_MET',
    'NODES_NOT_READY',
    'NODES_PRESSURE',
    'NODE_HAS_TAINTS_APPLIED',
    'NODE_KUBELET_VERSION',
    'OPENSHIFT_SDN_EGRESS_IP_IN_MULTIPLE_HOSTSUBNETS',
    'OPENSHIFT_SDN_EGRESS_IP_IN_NO_HOSTSUBNET',
    'OPERATOR_ISSUE',
    'OPERATOR_UNMANAGED',
    'PDB_BLOCKS_DRAIN',
    'PODS_CRASH_LOOP',
    'PROMETHEUS_RULE_EVALUATION_FAIL',
    'PSP_INSTALLED',
    'SAME_EGRESS_IP_IN_MULTIPLE_NETNAMESPACES',
    'SAP_DATA_INTELLIGENCE_PERMISSIONS',
    'SAP_SDI_OBSERVER_POD_ERROR',
    'SDI_PRELOAD_KERNEL_MODULES_ERROR',
    'VSPHERE_UPI_MACHINE_WITH_NO_RUNNING_PHASE',
    'VSPHERE_VM_DISK_ENABLEUUID_NOT_SET_TO_TRUE',
    'WEBHOOK_TIMEOUT_IS_LARGER_THAN_DEFAULT',
  ];
  for (const key of listing) {
    const { rule } = allSamples.find(({ fires }) => Object.hasOwn(fires, key))!;
    const details = { type: 'rule', error_key: key, max_detail_length_error: 70_000 };
    const { reason } = rendered({ component: `${rule.module}.report`, key, details });
    assert.match(reason, /too many to be listed here/);
    assert.ok(!reason.includes('undefined'));
  }
});

test('even when every operator is broken and says a lot, all of them are told', () => {
  const edits = Array.from(
    { length: 40 },
    (_, index): Edit =>
      withFile(`config/clusteroperator/operator-${index}.json`, {
        metadata: { name: `operator-${index}` },
        status: {
          conditions: ['Available', 'Degraded'].map((type) => ({
            type,
            status: type === 'Degraded' ? 'True' : 'False',
            message: 'x'.repeat(30_000),
          })),
        },
      }),
  );
  const files = sampleFiles({ edit: chain(withoutFiles('config/clusteroperator'), ...edits) });
  const [hit] = evaluateSample(rulesOfFaults, files, SAMPLE_NOW).report.reports;
  assert.equal((hit?.details['operators'] as unknown[] | undefined)?.length, 40);
});

test('even when every pool is degraded and says a lot, all of them are told', () => {
  const conditions = ['Degraded', 'NodeDegraded', 'RenderDegraded', 'Updated', 'Updating'].map((type) => ({
    type,
    status: 'True',
    message: 'x'.repeat(30_000),
  }));
  const edits = Array.from(
    { length: 40 },
    (_, index): Edit =>
      withFile(`config/machineconfigpools/pool-${index}.json`, {
        metadata: { name: `pool-${index}` },
        status: { conditions },
      }),
  );
  const { report } = evaluateSample([machinePoolCheck], sampleFiles({ edit: chain(...edits) }), SAMPLE_NOW);
  assert.equal((report.reports[0]?.details['machines'] as unknown[] | undefined)?.length, 40);
});

/** The names of objects that a rule complains about; an owner must read them. */
function namesIn(details: unknown): string[] {
  if (Array.isArray(details)) return details.flatMap((item) => (typeof item === 'string' ? [item] : namesIn(item)));
  if (typeof details !== 'object' || details === null) return [];
  return Object.entries(details).flatMap(([member, value]) =>
    member === 'name' && typeof value === 'string' ? [value] : member === 'info' ? [] : namesIn(value),
  );
}

/** What only some clusters have; the rules that are about it are skipped on the others. */
const rareFacts: ReadonlySet<FactName> = new Set<FactName>([
  'podSecurityPolicies',
  'prometheusComplaints',
  'sapDataHubs',
  'sapPods',
  'vsphereMachines',
]);

/** The skips that say of a cluster more than that it is none of those. */
function skipsOfOrdinaryRules(skips: readonly SkipItem[]): readonly SkipItem[] {
  return skips.filter(({ rule_fqdn, reason }) => {
    const rule = allRules.find(({ module }) => rule_fqdn === `${module}.report`);
    return reason !== SKIP_MISSING_REQUIREMENTS || !rule?.requires.some((fact) => rareFacts.has(fact));
  });
}

test('a healthy cluster fires nothing and lacks nothing that every cluster has, today and years from now', () => {
  for (const now of [new Date('2023-05-01T00:00:00Z'), SAMPLE_NOW, new Date('2035-01-01T00:00:00Z')]) {
    const files = healthyCluster({ clusterId: SAMPLE_CLUSTER_ID, now });
    const { report, failures, brokenFiles } = evaluateSample(rulesOfFaults, files, now);
    assert.deepEqual(
      { reports: report.reports, skips: skipsOfOrdinaryRules(report.skips), failures, brokenFiles },
      {
        reports: [],
        skips: [],
        failures: [],
        brokenFiles: [],
      },
    );
    assert.equal(report.info.length, 1);
  }
});

test('on the healthy cluster each error key can be had alone, or with those that it says come with it', () => {
  for (const { rule, fires } of allSamples) {
    for (const [key, [sample]] of Object.entries(fires)) {
      const rules = rule.mark === 'tutorial' ? allRules : rulesOfFaults;
      const { report } = evaluateSample(rules, sampleFiles(sample), sampleNow(sample));
      assert.deepEqual(report.reports.map((hit) => hit.key).sort(), [key, ...(sample.also ?? [])].sort());
    }
  }
});

test('one error key of every rule can be had at once, of those that say something of the whole cluster the first', () => {
  const settled = new Set<string>();
  const together = allSamples.filter(({ rule, fires }) => {
    const { now, settles = [] } = Object.values(fires)[0]![0];
    if (rule.mark === 'tutorial' || now !== undefined || settles.some((what) => settled.has(what))) return false;
    for (const what of settles) settled.add(what);
    return true;
  });
  const edits: Edit[] = together.map(({ fires }) => Object.values(fires)[0]![0].edit);
  const files = edits.reduce(
    (current, edit) => edit(current),
    healthyCluster({ clusterId: SAMPLE_CLUSTER_ID, now: SAMPLE_NOW }),
  );
  const { report } = evaluateSample(rulesOfFaults, files, SAMPLE_NOW);
  assert.deepEqual(
    report.reports.map((hit) => hit.key),
    together.map(({ fires }) => Object.keys(fires)[0]),
  );
});

test('the version that reports name is the version of the package', () => {
  const manifest = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));
  assert.equal(RULES_VERSION, manifest.version);
});
